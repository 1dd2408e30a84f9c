#include "runtime_memory/function_table.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <string>

#include "runtime_memory/locate.h"

namespace gopacer {
namespace {

constexpr std::uint32_t kMagic = 0xfffffff1;  // since Go 1.20
constexpr std::uint64_t kMostFunctions = 1'000'000;
/// Of data in which moduledata is looked for.
constexpr std::uint64_t kMostSearched = std::uint64_t{1} << 28;
constexpr std::uint64_t kMostNames = std::uint64_t{1} << 28;
constexpr std::uint64_t kMostCode = 4096;
/// Of a function's sizes of the stack.
constexpr std::uint64_t kMostSteps = 4096;

/// runtime.pcHeader.
struct Header {
  std::uint32_t magic;
  std::uint8_t pad[2];
  std::uint8_t least_instruction;
  std::uint8_t pointer_size;
  std::uint64_t functions;
  std::uint64_t files;
  std::uint64_t text_start;  ///< 0 since Go 1.26
  std::uint64_t names;
  std::uint64_t units;
  std::uint64_t file_names;
  std::uint64_t counters;
  std::uint64_t table;
};

/// An entry of the table of functions; sorted by their code. Both relative, to the text and to the table.
struct Entry {
  std::uint32_t code;
  std::uint32_t function;
};

/// The beginning of runtime._func.
struct Function {
  std::uint32_t code;
  std::int32_t name;
  std::int32_t arguments;
  std::uint32_t deferred;
  std::uint32_t stack;  ///< relative to the counters: the size of the stack by instruction
};

struct Table {
  std::uint64_t address = 0;  ///< as linked
  std::uint64_t offset = 0;   ///< in the file
  std::uint64_t size = 0;
  Header header{};
};

bool is_header(const Header& header, std::uint64_t room) {
  if (header.magic != kMagic || header.pointer_size != 8) return false;
  if (header.functions == 0 || header.functions > kMostFunctions) return false;
  const std::array<std::uint64_t, 3> parts{header.names, header.counters, header.table};
  return std::all_of(parts.begin(), parts.end(), [&](std::uint64_t part) { return part < room; });
}

/// The table in the middle of a section.
std::optional<Table> search_table(const RunningImage& running, const Section& section) {
  constexpr std::uint64_t kAlignment = 32;
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 16;
  const std::uint64_t size = std::min(section.size, kMostSearched);
  std::vector<std::byte> piece;
  for (std::uint64_t done = 0; done < size; done += kPiece) {
    piece.resize(std::min(kPiece, size - done));
    if (!running.file(section.offset + done, piece)) return std::nullopt;
    for (std::uint64_t at = 0; at + sizeof(kMagic) <= piece.size(); at += kAlignment) {
      if (std::memcmp(piece.data() + at, &kMagic, sizeof(kMagic)) != 0) continue;
      const std::uint64_t before = done + at;
      const auto header = value_at<Header>(running.file, section.offset + before);
      if (!header || !is_header(*header, section.size - before)) continue;
      return Table{section.address + before, section.offset + before, section.size - before, *header};
    }
  }
  return std::nullopt;
}

std::optional<Table> find_table(const RunningImage& running) {
  const Section* section = running.image.section(".gopclntab");
  // Where the program may be moved.
  if (section == nullptr) section = running.image.section(".data.rel.ro.gopclntab");
  if (section != nullptr) {
    const auto header = value_at<Header>(running.file, section->offset);
    if (!header || !is_header(*header, section->size)) return std::nullopt;
    return Table{section->address, section->offset, section->size, *header};
  }
  // A C linker puts it together with others.
  section = running.image.section(".data.rel.ro");
  return section == nullptr ? std::nullopt : search_table(running, *section);
}

/// Where in the table of names the name begins.
std::optional<std::uint32_t> find_name(const RunningImage& running, const Table& table, std::string_view name) {
  const std::string wanted = '\0' + std::string(name) + '\0';
  const std::uint64_t size = std::min(table.size - table.header.names, kMostNames);
  std::string piece;
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t next = std::min<std::uint64_t>(std::uint64_t{1} << 16, size - done);
    const std::size_t kept = piece.size();
    piece.resize(kept + next);
    if (!running.file(table.offset + table.header.names + done,
                      std::as_writable_bytes(std::span(piece).subspan(kept)))) {
      return std::nullopt;
    }
    done += next;
    if (const std::size_t at = piece.find(wanted); at != std::string::npos) {
      return static_cast<std::uint32_t>(done - piece.size() + at + 1);
    }
    // The name may lie across two pieces.
    piece.erase(0, piece.size() - std::min(piece.size(), wanted.size() - 1));
  }
  return std::nullopt;
}

/// Address of the program's first Go function, as linked: what the table's entries count from. Where the header does
/// not tell, moduledata does, which begins with a pointer to the header, is followed by six slices, a pointer and then
/// by minpc.
std::optional<std::uint64_t> find_text(const RunningImage& running, const Table& table, const Entry& first) {
  // In memory, because in the file of a program that may be moved it is filled in by relocation.
  const auto header = value_at<Header>(running.memory, table.address + running.bias);
  if (!header) return std::nullopt;
  if (header->text_start != 0) return header->text_start - running.bias;
  constexpr std::uint64_t kLowestAddress = 0xa0;
  constexpr std::uint64_t kBehind = kLowestAddress + 2 * sizeof(std::uint64_t);
  const std::uint64_t wanted = table.address + running.bias;
  std::array<std::uint64_t, 8192> piece{};
  std::uint64_t searched = 0;
  for (const Segment& segment : running.image.segments) {
    if (!segment.writable) continue;
    const std::uint64_t begin = (segment.address + 7) & ~std::uint64_t{7};
    // It is initialized, so the file has it.
    const std::uint64_t end = segment.address + segment.file_size;
    for (std::uint64_t at = begin; at + kBehind <= end; at += sizeof(piece)) {
      const std::size_t words = std::min<std::uint64_t>(piece.size(), (end - at) / sizeof(std::uint64_t));
      const std::span<std::uint64_t> some(piece.data(), words);
      if (searched += sizeof(piece); searched > kMostSearched) return std::nullopt;
      if (!running.memory(at + running.bias, std::as_writable_bytes(some))) break;
      for (std::size_t word = 0; word < words; ++word) {
        if (some[word] != wanted) continue;
        const std::uint64_t module = at + word * sizeof(std::uint64_t) + running.bias;
        const auto names = value_at<std::uint64_t>(running.memory, module + sizeof(std::uint64_t));
        const auto lowest = value_at<std::uint64_t>(running.memory, module + kLowestAddress);
        const auto highest = value_at<std::uint64_t>(running.memory, module + kLowestAddress + sizeof(std::uint64_t));
        if (!names || *names != wanted + table.header.names || !lowest || !highest || *lowest >= *highest) continue;
        return *lowest - first.code - running.bias;
      }
    }
  }
  return std::nullopt;
}

/// Entry of the function of that name, and the one behind it.
std::optional<std::array<Entry, 2>> find_entry(const RunningImage& running, const Table& table, std::uint32_t name) {
  const std::uint64_t entries = table.offset + table.header.table;
  std::array<Entry, 1024> piece{};
  for (std::uint64_t first = 0; first < table.header.functions; first += piece.size()) {
    const std::span<Entry> some(piece.data(), std::min<std::uint64_t>(piece.size(), table.header.functions - first));
    if (!running.file(entries + first * sizeof(Entry), std::as_writable_bytes(some))) return std::nullopt;
    for (std::size_t i = 0; i < some.size(); ++i) {
      const auto function = value_at<Function>(running.file, entries + some[i].function);
      if (!function || function->name != static_cast<std::int32_t>(name)) continue;
      return value_at<std::array<Entry, 2>>(running.file, entries + (first + i) * sizeof(Entry));
    }
  }
  return std::nullopt;
}

/// Takes a number in groups of seven bits, the lowest first, off the front; none where it does not end.
std::optional<std::uint32_t> take_number(std::span<const std::byte>& from) {
  std::uint32_t number = 0;
  for (unsigned shift = 0; shift < 32 && !from.empty(); shift += 7) {
    const auto byte = std::to_integer<std::uint32_t>(from.front());
    from = from.subspan(1);
    number |= (byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return number;
  }
  return std::nullopt;
}

/// From an instruction on the stack of a function is of that size.
struct Step {
  std::uint64_t address;  ///< as linked
  std::uint32_t stack;    ///< bytes
};

/// All of a function, as the runtime's step() reads them; none where they are not as they should be. Since they begin
/// with instructions, none has to be decoded to know where it begins.
std::vector<Step> steps_of(const RunningImage& running, const Table& table, std::uint64_t function, const Code& code) {
  const auto found = value_at<Function>(running.file, table.offset + table.header.table + function);
  const std::uint64_t begin = table.header.counters + (found ? found->stack : 0);
  if (!found || begin >= table.size) return {};
  std::vector<std::byte> bytes(std::min(table.size - begin, kMostSteps));
  if (!running.file(table.offset + begin, bytes)) return {};
  std::span<const std::byte> left = bytes;
  Step step{code.address, ~0U};
  std::vector<Step> steps;
  while (step.address < code.address + code.bytes.size()) {
    const auto change = take_number(left);
    if (!change) return {};
    if (*change == 0 && !steps.empty()) break;  // the end; behind it there is only what fills up to the next function
    const auto length = take_number(left);
    if (!length || *length == 0) return {};
    step.stack += (*change & 1U) != 0 ? ~(*change >> 1U) : *change >> 1U;
    steps.push_back(step);
    step.address += std::uint64_t{*length} * table.header.least_instruction;
  }
  return steps;
}

bool returns_at(const Code& code, std::uint64_t address, Machine machine) {
  const std::uint64_t at = address - code.address;
  if (machine == Machine::kAmd64) return code.bytes[at] == std::byte{0xc3};
  std::uint32_t word = 0;
  if (at % sizeof(word) != 0 || at + sizeof(word) > code.bytes.size()) return false;
  std::memcpy(&word, code.bytes.data() + at, sizeof(word));
  return word == 0xd65f03c0U;
}

/// Where the stack gets empty again.
std::vector<std::uint64_t> find_returns(const std::vector<Step>& steps, const Code& code, Machine machine) {
  std::vector<std::uint64_t> returns;
  for (const Step& step : steps) {
    const bool first = step.address == code.address;
    if (!first && step.stack == 0 && returns_at(code, step.address, machine)) returns.push_back(step.address);
  }
  return returns;
}

/// The instruction before the first step, if that is a word.
std::optional<std::uint64_t> find_push(const std::vector<Step>& steps, const Code& code, Machine machine) {
  constexpr std::byte kPush{0x55};
  constexpr std::byte kOtherRegister{0x41};  // in front of it
  if (machine != Machine::kAmd64 || steps.size() < 2 || steps[0].stack != 0 || steps[1].stack != 8) return std::nullopt;
  const std::uint64_t behind = steps[1].address - code.address;
  if (code.bytes[behind - 1] != kPush) return std::nullopt;
  if (behind > 1 && code.bytes[behind - 2] == kOtherRegister) return std::nullopt;
  return steps[1].address - 1;
}

std::int64_t sign_extended(std::uint64_t value, int bits) {
  const std::uint64_t sign = std::uint64_t{1} << (bits - 1);
  return static_cast<std::int64_t>((value ^ sign) - sign);
}

std::set<std::uint64_t> taken_on_amd64(const Code& code) {
  constexpr std::size_t kLength = 7;  // REX.W, opcode, ModRM, displacement
  std::set<std::uint64_t> addresses;
  for (std::size_t at = 0; at + kLength <= code.bytes.size(); ++at) {
    const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(code.bytes[at + i]); };
    const bool wide = (byte(0) & 0xfbU) == 0x48U;
    const bool from_place = (byte(2) & 0xc7U) == 0x05U;
    if (!wide || byte(1) != 0x8dU || !from_place) continue;
    std::int32_t displacement = 0;
    std::memcpy(&displacement, code.bytes.data() + at + 3, sizeof(displacement));
    addresses.insert(code.address + at + kLength + static_cast<std::uint64_t>(static_cast<std::int64_t>(displacement)));
  }
  return addresses;
}

std::set<std::uint64_t> taken_on_arm64(const Code& code) {
  constexpr std::uint64_t kPage = 4096;
  std::map<unsigned, std::uint64_t> pages;  // by register
  std::set<std::uint64_t> addresses;
  for (std::size_t at = 0; at + 4 <= code.bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, code.bytes.data() + at, sizeof(word));
    const unsigned to = word & 31U;
    const unsigned from = (word >> 5U) & 31U;
    if ((word & 0x9f000000U) == 0x90000000U) {  // ADRP
      const std::uint64_t number = ((word >> 5U) & 0x7ffffU) << 2U | ((word >> 29U) & 3U);
      pages[to] = ((code.address + at) & ~(kPage - 1)) + static_cast<std::uint64_t>(sign_extended(number, 21)) * kPage;
    } else if ((word & 0xffc00000U) == 0x91000000U && pages.contains(from)) {  // ADD, 64 bits, immediate
      addresses.insert(pages[from] + ((word >> 10U) & 0xfffU));
    }
  }
  return addresses;
}

}  // namespace

std::optional<Code> code_of_function(const RunningImage& running, std::string_view name) {
  const auto table = find_table(running);
  if (!table) return std::nullopt;
  const auto name_at = find_name(running, *table, name);
  if (!name_at) return std::nullopt;
  const auto entry = find_entry(running, *table, *name_at);
  if (!entry) return std::nullopt;
  const auto [code, next] = *entry;
  if (next.code <= code.code || next.code - code.code > kMostCode) return std::nullopt;
  const auto first = value_at<Entry>(running.file, table->offset + table->header.table);
  const auto text = first ? find_text(running, *table, *first) : std::nullopt;
  if (!text) return std::nullopt;
  const auto offset = running.image.offset_of(*text + code.code);
  if (!offset) return std::nullopt;
  Code found{*text + code.code, std::vector<std::byte>(next.code - code.code), {}, {}};
  if (!running.file(*offset, found.bytes)) return std::nullopt;
  const std::vector<Step> steps = steps_of(running, *table, code.function, found);
  found.returns = find_returns(steps, found, running.image.machine);
  found.push = find_push(steps, found, running.image.machine);
  return found;
}

std::set<std::uint64_t> addresses_taken(const Code& code, Machine machine) {
  return machine == Machine::kAmd64 ? taken_on_amd64(code) : taken_on_arm64(code);
}

}  // namespace gopacer
