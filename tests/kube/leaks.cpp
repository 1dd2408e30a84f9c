/// Each thread of the HTTP library has some state of OpenSSL, and they run until the process ends: three threads, not a
/// growing leak. The leak detector asks for it by this name.
extern "C" const char*
__lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier,readability-identifier-naming)
  return "leak:libcrypto.so\n";
}
