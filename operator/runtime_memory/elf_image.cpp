#include "runtime_memory/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace gopacer {
namespace {

constexpr std::size_t kMostSegments = 64;
constexpr std::size_t kMostSections = 4096;
constexpr std::size_t kMostNameBytes = 1 << 20;
constexpr std::size_t kMostName = 64;
constexpr std::uint64_t kMostSymbols = 1'000'000;

constexpr std::string_view kBuildInfoMagic = "\xff Go buildinf:";
constexpr std::size_t kBuildInfoHeader = 32;  // the magic, two bytes of layout, padding
constexpr std::size_t kBuildInfoAlignment = 16;
constexpr unsigned char kInlineStrings = 2;  // since Go 1.18
constexpr std::uint64_t kMostBuildInfoSearch = 1 << 26;

/// Of Elf64_Shdr's and Elf64_Sym's names: the text at an offset of a table.
std::string name_in(const std::string& table, std::size_t at) {
  if (at >= table.size()) return {};
  return table.substr(at, std::min(table.find('\0', at) - at, kMostName));
}

std::string text_at(const ReadAt& file, std::uint64_t at, std::uint64_t size) {
  std::string text(std::min<std::uint64_t>(size, kMostNameBytes), '\0');
  if (!file(at, std::as_writable_bytes(std::span(text)))) return {};
  return text;
}

/// Sections tell more, and a program runs without them: what is odd about them is left out.
void read_sections(const Elf64_Ehdr& header, const ReadAt& file, ElfImage& image) {
  if (header.e_shoff == 0 || header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > kMostSections) return;
  std::vector<Elf64_Shdr> read(header.e_shnum);
  if (read.empty() || !file(header.e_shoff, std::as_writable_bytes(std::span(read)))) return;
  if (header.e_shstrndx >= read.size()) return;
  const std::string names = text_at(file, read[header.e_shstrndx].sh_offset, read[header.e_shstrndx].sh_size);
  for (const Elf64_Shdr& section : read) {
    image.sections.push_back({name_in(names, section.sh_name), section.sh_type, section.sh_link, section.sh_addr,
                              section.sh_offset, section.sh_size});
  }
}

/// Where Go's linker puts its build information: a section of that name, or else at the beginning of the data.
struct Area {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
std::optional<Area> build_info_area(const ElfImage& image) {
  if (const Section* const section = image.section(".go.buildinfo")) return Area{section->offset, section->size};
  for (const Segment& segment : image.segments) {
    if (segment.writable && !segment.executable) return Area{segment.offset, segment.file_size};
  }
  return std::nullopt;
}

}  // namespace

const Section* ElfImage::section(std::string_view name) const {
  const auto found =
      std::find_if(sections.begin(), sections.end(), [&](const Section& section) { return section.name == name; });
  return found == sections.end() ? nullptr : &*found;
}

std::optional<std::uint64_t> ElfImage::offset_of(std::uint64_t address) const {
  for (const Segment& segment : segments) {
    if (address >= segment.address && address - segment.address < segment.file_size) {
      return segment.offset + (address - segment.address);
    }
  }
  return std::nullopt;
}

bool ElfImage::is_writable(std::uint64_t address) const {
  return std::any_of(segments.begin(), segments.end(),
                     [&](const Segment& segment) { return segment.writable && segment.has(address); });
}

Result<ElfImage> read_elf(const ReadAt& file) {
  const auto header = value_at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return invalid("is no ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB) {
    return invalid("is not for a 64-bit little-endian machine");
  }
  ElfImage image;
  switch (header->e_machine) {
    case EM_X86_64:
      image.machine = Machine::kAmd64;
      break;
    case EM_AARCH64:
      image.machine = Machine::kArm64;
      break;
    default:
      return invalid("is for a machine that is not supported; amd64 and arm64 are");
  }
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 || header->e_phnum > kMostSegments) {
    return invalid("has " + std::to_string(header->e_phnum) + " program headers, and they are not as they should be");
  }
  std::vector<Elf64_Phdr> read(header->e_phnum);
  if (!file(header->e_phoff, std::as_writable_bytes(std::span(read))))
    return invalid("ends before its program headers");
  for (const Elf64_Phdr& part : read) {
    if (part.p_type != PT_LOAD) continue;
    if (part.p_filesz > part.p_memsz || part.p_vaddr + part.p_memsz < part.p_vaddr) {
      return invalid("has a segment that is not as it should be");
    }
    image.segments.push_back({part.p_offset, part.p_vaddr, part.p_filesz, part.p_memsz, (part.p_flags & PF_W) != 0,
                              (part.p_flags & PF_X) != 0});
  }
  if (image.segments.empty()) return invalid("has nothing that is loaded");
  for (const Segment& segment : image.segments) {
    if (header->e_phoff < segment.offset || header->e_phoff - segment.offset >= segment.file_size) continue;
    image.headers = segment.address + (header->e_phoff - segment.offset);
  }
  read_sections(*header, file, image);
  return image;
}

std::optional<std::uint64_t> symbol_address(const ElfImage& image, const ReadAt& file, std::string_view name) {
  const Section* const symbols = image.section(".symtab");
  if (symbols == nullptr || symbols->type != SHT_SYMTAB || symbols->link >= image.sections.size()) return std::nullopt;
  const Section& names = image.sections[symbols->link];
  const std::uint64_t count = std::min(symbols->size / sizeof(Elf64_Sym), kMostSymbols);
  std::array<Elf64_Sym, 1024> piece{};
  std::string found(name.size() + 1, '\0');
  for (std::uint64_t first = 0; first < count; first += piece.size()) {
    const std::span<Elf64_Sym> some(piece.data(), std::min<std::uint64_t>(piece.size(), count - first));
    if (!file(symbols->offset + first * sizeof(Elf64_Sym), std::as_writable_bytes(some))) return std::nullopt;
    for (const Elf64_Sym& symbol : some) {
      // Functions are most of them, and a variable is looked for.
      if (ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT || symbol.st_name >= names.size) continue;
      if (!file(names.offset + symbol.st_name, std::as_writable_bytes(std::span(found)))) continue;
      if (found.back() == '\0' && std::string_view(found).substr(0, name.size()) == name) return symbol.st_value;
    }
  }
  return std::nullopt;
}

Result<std::string> go_version_of(const ElfImage& image, const ReadAt& file) {
  const auto none = fail(ErrorKind::kNotFound, "has no Go build information: it is no Go program");
  const auto area = build_info_area(image);
  if (!area) return none;
  std::array<char, 4096> piece{};
  const std::uint64_t most = std::min(area->size, kMostBuildInfoSearch);
  for (std::uint64_t done = 0; done < most; done += piece.size()) {
    const std::span<char> some(piece.data(), std::min<std::uint64_t>(piece.size(), most - done));
    if (!file(area->offset + done, std::as_writable_bytes(some))) break;
    for (std::size_t at = 0; at + kBuildInfoMagic.size() <= some.size(); at += kBuildInfoAlignment) {
      if (std::string_view(some.data() + at, kBuildInfoMagic.size()) != kBuildInfoMagic) continue;
      const std::uint64_t begins = area->offset + done + at;
      const auto flags = value_at<unsigned char>(file, begins + kBuildInfoMagic.size() + 1);
      if (!flags) return none;
      if ((*flags & kInlineStrings) == 0) return "go1.17";
      const auto length = value_at<unsigned char>(file, begins + kBuildInfoHeader);
      if (!length || *length == 0 || *length >= 128) return none;
      std::string version(*length, '\0');
      if (!file(begins + kBuildInfoHeader + 1, std::as_writable_bytes(std::span(version)))) return none;
      // It is shown to people and parsed by programs.
      const bool clean = std::all_of(version.begin(), version.end(), [](char c) { return c >= ' ' && c <= '~'; });
      if (!clean) return none;
      return version;
    }
  }
  return none;
}

Result<std::string> go_version_of(const std::filesystem::path& program) {
  const auto opened = RandomAccessFile::open(program, RandomAccessFile::Mode::kRead);
  if (!opened) return retriable(opened.error().message);
  const ReadAt file = [&](std::uint64_t at, std::span<std::byte> into) { return opened->read(at, into); };
  const auto image = read_elf(file);
  if (!image) return fail(ErrorKind::kNotFound, program.string() + " " + image.error().message);
  auto version = go_version_of(*image, file);
  if (!version) return fail(version.error().kind, program.string() + " " + version.error().message);
  return version;
}

}  // namespace gopacer
