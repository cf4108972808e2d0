#include "emit/elf.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {
namespace {

class ElfFile {
 public:
  explicit ElfFile(const std::filesystem::path& path) : path_(path.string()), bytes_(read_file(path)) {
    header_ = at<Elf32_Ehdr>(0);
    if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0 || header_.e_ident[EI_CLASS] != ELFCLASS32 ||
        header_.e_ident[EI_DATA] != ELFDATA2LSB) {
      throw bad_input("{} is not a 32-bit little-endian ELF file", path_);
    }
    for (std::uint64_t index = 0; index < header_.e_shnum; ++index) {
      sections_.push_back(at<Elf32_Shdr>(header_.e_shoff + index * header_.e_shentsize));
    }
  }

  [[nodiscard]] const std::vector<Elf32_Shdr>& sections() const { return sections_; }
  [[nodiscard]] std::string_view section_name(const Elf32_Shdr& section) const {
    return text(sections_.at(header_.e_shstrndx), section.sh_name);
  }
  [[nodiscard]] std::string_view text(const Elf32_Shdr& strings, std::uint64_t offset) const {
    if (offset >= strings.sh_size || std::uint64_t{strings.sh_offset} + strings.sh_size > bytes_.size()) return {};
    const char* begin = reinterpret_cast<const char*>(bytes_.data()) + strings.sh_offset + offset;
    return {begin, ::strnlen(begin, strings.sh_size - offset)};
  }
  template <typename T>
  [[nodiscard]] T at(std::uint64_t offset) const {
    T value{};
    if (offset + sizeof(T) > bytes_.size()) throw bad_input("{} ends too early for an ELF file", path_);
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

 private:
  std::string path_;
  std::vector<std::uint8_t> bytes_;
  Elf32_Ehdr header_{};
  std::vector<Elf32_Shdr> sections_;
};

}  // namespace

ImageSize read_image_size(const std::filesystem::path& elf) {
  const ElfFile file(elf);
  ImageSize size;
  for (const Elf32_Shdr& section : file.sections()) {
    if ((section.sh_flags & SHF_ALLOC) == 0 || file.section_name(section) == ".stack") continue;
    if ((section.sh_flags & SHF_EXECINSTR) != 0) {
      size.text += section.sh_size;
    } else if (section.sh_type == SHT_NOBITS) {
      size.bss += section.sh_size;
    } else if ((section.sh_flags & SHF_WRITE) != 0) {
      size.data += section.sh_size;
    } else {
      size.rodata += section.sh_size;
    }
  }
  return size;
}

std::vector<ImageSymbol> read_image_symbols(const std::filesystem::path& elf) {
  const ElfFile file(elf);
  std::vector<ImageSymbol> symbols;
  for (const Elf32_Shdr& section : file.sections()) {
    if (section.sh_type != SHT_SYMTAB || section.sh_link >= file.sections().size()) continue;
    for (std::uint64_t offset = 0; offset + sizeof(Elf32_Sym) <= section.sh_size; offset += sizeof(Elf32_Sym)) {
      const auto symbol = file.at<Elf32_Sym>(section.sh_offset + offset);
      const auto type = ELF32_ST_TYPE(symbol.st_info);
      if (symbol.st_size == 0 || (type != STT_FUNC && type != STT_OBJECT)) continue;
      symbols.push_back(
          {std::string(file.text(file.sections()[section.sh_link], symbol.st_name)), symbol.st_size, type == STT_FUNC});
    }
  }
  std::stable_sort(symbols.begin(), symbols.end(),
                   [](const ImageSymbol& a, const ImageSymbol& b) { return a.bytes > b.bytes; });
  return symbols;
}

}  // namespace trimtab
