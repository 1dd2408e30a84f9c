#pragma once

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace gopacer::testing {

/// Bytes of the smallest program that has what is looked for: one segment of code, one of data, and no sections.
struct ElfBuilder {
  std::uint16_t machine = EM_X86_64;
  std::uint64_t data_address = 0x500000;
  std::string data;  ///< of the writable segment

  /// Go's build information, as its linker writes it at the beginning of the data.
  static std::string build_info(const std::string& version, char flags = 2) {
    return "\xff Go buildinf:" + std::string(1, '\x08') + std::string(1, flags) + std::string(16, '\0') +
           std::string(1, static_cast<char>(version.size())) + version + std::string(300, '\0');
  }

  std::string bytes() const {
    constexpr std::uint64_t kDataOffset = 0x1000;
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = machine;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    Elf64_Phdr code{};
    code.p_type = PT_LOAD;
    code.p_flags = PF_R | PF_X;
    code.p_vaddr = 0x400000;
    code.p_filesz = code.p_memsz = kDataOffset;
    Elf64_Phdr writable{};
    writable.p_type = PT_LOAD;
    writable.p_flags = PF_R | PF_W;
    writable.p_offset = kDataOffset;
    writable.p_vaddr = data_address;
    writable.p_filesz = writable.p_memsz = data.size();
    std::string file(kDataOffset, '\0');
    std::memcpy(file.data(), &header, sizeof(header));
    std::memcpy(file.data() + sizeof(header), &code, sizeof(code));
    std::memcpy(file.data() + sizeof(header) + sizeof(code), &writable, sizeof(writable));
    return file + data;
  }
};

/// A Go program of that version, which can be read but not run.
inline std::string go_program(const std::string& version) {
  ElfBuilder builder;
  builder.data = ElfBuilder::build_info(version);
  return builder.bytes();
}

}  // namespace gopacer::testing
