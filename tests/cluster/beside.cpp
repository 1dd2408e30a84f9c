#include "cluster/beside.h"

#include <unistd.h>

namespace gopacer::cluster {

namespace fs = std::filesystem;

Beside::Beside() : directory_(fs::temp_directory_path() / ("gopacer-beside-" + std::to_string(::getpid()))) {
  fs::create_directories(directory_);
}

Beside::~Beside() {
  stop();
  std::error_code nothing_to_do;
  fs::remove_all(directory_, nothing_to_do);
}

void Beside::run(const std::string& program, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{program};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const std::string log = fs::path(program).stem().string() + std::to_string(running_.size()) + ".log";
  running_.push_back(std::make_unique<Background>(command, directory_ / log));
}

std::string Beside::said() const {
  std::string words;
  for (const auto& file : fs::directory_iterator(directory_)) {
    if (file.path().extension() != ".log") continue;
    words += "--- " + file.path().filename().string() + "\n" + must_run({"tail", "-n30", file.path()});
  }
  return words;
}

std::string Beside::certificate() {
  const std::string file = directory_ / "tls.crt";
  if (!fs::exists(file)) {
    must_run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
              "-subj", "/CN=" + std::string(kHere), "-addext", "subjectAltName=IP:" + std::string(kHere), "-keyout",
              key(), "-out", file});
  }
  return file;
}

}  // namespace gopacer::cluster
