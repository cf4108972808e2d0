#include "emit/elf.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/file.h"

namespace trimtab {
namespace {

/// The fields of both classes in the wider one.
struct Section {
  std::uint64_t name, type, flags, offset, bytes, link;
};
struct Symbol {
  std::uint64_t name, bytes;
  unsigned char info;
};

class ElfFile {
 public:
  explicit ElfFile(const std::filesystem::path& path) : path_(path.string()), bytes_(read_file(path)) {
    const auto identity = at<std::array<unsigned char, EI_NIDENT>>(0);
    const bool known = std::memcmp(identity.data(), ELFMAG, SELFMAG) == 0 && identity[EI_DATA] == ELFDATA2LSB;
    is_64_ = known && identity[EI_CLASS] == ELFCLASS64;
    if (!is_64_ && !(known && identity[EI_CLASS] == ELFCLASS32)) {
      throw bad_input("{} is not a little-endian ELF file", path_);
    }
    if (is_64_) {
      read_sections<Elf64_Ehdr, Elf64_Shdr>();
    } else {
      read_sections<Elf32_Ehdr, Elf32_Shdr>();
    }
  }

  [[nodiscard]] const std::vector<Section>& sections() const { return sections_; }
  [[nodiscard]] std::string_view section_name(const Section& section) const {
    return text(sections_.at(names_), section.name);
  }
  [[nodiscard]] std::string_view text(const Section& strings, std::uint64_t offset) const {
    if (offset >= strings.bytes || strings.bytes > bytes_.size() || strings.offset > bytes_.size() - strings.bytes) {
      return {};
    }
    const char* begin = reinterpret_cast<const char*>(bytes_.data()) + strings.offset + offset;
    return {begin, ::strnlen(begin, strings.bytes - offset)};
  }
  /// The symbols of a section of them.
  [[nodiscard]] std::vector<Symbol> symbols(const Section& section) const {
    return is_64_ ? read_symbols<Elf64_Sym>(section) : read_symbols<Elf32_Sym>(section);
  }

 private:
  template <typename T>
  [[nodiscard]] T at(std::uint64_t offset) const {
    T value{};
    if (bytes_.size() < sizeof(T) || offset > bytes_.size() - sizeof(T))
      throw bad_input("{} ends too early for an ELF file", path_);
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  template <typename Header, typename SectionHeader>
  void read_sections() {
    const auto header = at<Header>(0);
    names_ = header.e_shstrndx;
    for (std::uint64_t index = 0; index < header.e_shnum; ++index) {
      const auto section = at<SectionHeader>(header.e_shoff + index * header.e_shentsize);
      sections_.push_back(
          {section.sh_name, section.sh_type, section.sh_flags, section.sh_offset, section.sh_size, section.sh_link});
    }
  }
  template <typename T>
  [[nodiscard]] std::vector<Symbol> read_symbols(const Section& section) const {
    std::vector<Symbol> symbols;
    for (std::uint64_t offset = 0; offset + sizeof(T) <= section.bytes; offset += sizeof(T)) {
      const auto symbol = at<T>(section.offset + offset);
      symbols.push_back({symbol.st_name, symbol.st_size, symbol.st_info});
    }
    return symbols;
  }

  std::string path_;
  std::vector<std::uint8_t> bytes_;
  bool is_64_ = false;
  std::uint64_t names_ = 0;  ///< the section that has the sections' names
  std::vector<Section> sections_;
};

}  // namespace

ImageSize read_image_size(const std::filesystem::path& elf) {
  const ElfFile file(elf);
  ImageSize size;
  for (const Section& section : file.sections()) {
    if ((section.flags & SHF_ALLOC) == 0 || file.section_name(section) == ".stack") continue;
    const auto bytes = static_cast<std::int64_t>(section.bytes);
    if ((section.flags & SHF_EXECINSTR) != 0) {
      size.text += bytes;
    } else if (section.type == SHT_NOBITS) {
      size.bss += bytes;
    } else if ((section.flags & SHF_WRITE) != 0) {
      size.data += bytes;
    } else {
      size.rodata += bytes;
    }
  }
  return size;
}

std::vector<ImageSymbol> read_image_symbols(const std::filesystem::path& elf) {
  const ElfFile file(elf);
  std::vector<ImageSymbol> symbols;
  for (const Section& section : file.sections()) {
    if (section.type != SHT_SYMTAB || section.link >= file.sections().size()) continue;
    for (const Symbol& symbol : file.symbols(section)) {
      const auto type = ELF64_ST_TYPE(symbol.info);  // the same in both classes
      if (symbol.bytes == 0 || (type != STT_FUNC && type != STT_OBJECT)) continue;
      symbols.push_back({std::string(file.text(file.sections()[section.link], symbol.name)),
                         static_cast<std::int64_t>(symbol.bytes), type == STT_FUNC});
    }
  }
  std::stable_sort(symbols.begin(), symbols.end(),
                   [](const ImageSymbol& a, const ImageSymbol& b) { return a.bytes > b.bytes; });
  return symbols;
}

}  // namespace trimtab
