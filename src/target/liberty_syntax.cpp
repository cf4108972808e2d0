#include "target/liberty_syntax.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"

namespace trimtab {
namespace {

class SyntaxReader {
 public:
  SyntaxReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  LibertyGroup read() {
    LibertyGroup root;
    const std::string kind = word();
    if (!statement(root, kind, 0) || root.groups.size() != 1) fail("a library");
    if (peek() != '\0') fail("the end of the file");
    return std::move(root.groups.front());
  }

 private:
  [[noreturn]] void fail(std::string_view expected) const {
    throw bad_input("{} is not Liberty: line {} should have {}", path_, line_, expected);
  }

  /// The next character that is neither space nor comment; 0 at the end.
  char peek() {
    while (position_ < text_.size()) {
      const char letter = text_[position_];
      if (letter == '\n') ++line_;
      if (std::isspace(static_cast<unsigned char>(letter)) != 0 || letter == '\\') {
        ++position_;
      } else if (text_.substr(position_, 2) == "/*") {
        const std::size_t end = text_.find("*/", position_ + 2);
        if (end == std::string_view::npos) fail("an end of its comment");
        line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(position_),
                                             text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
        position_ = end + 2;
      } else if (text_.substr(position_, 2) == "//") {
        position_ = std::min(text_.find('\n', position_), text_.size());
      } else {
        return letter;
      }
    }
    return '\0';
  }

  /// A quoted text, or everything up to space or punctuation.
  std::string word() {
    if (peek() == '"') {
      std::string result;
      for (++position_; position_ < text_.size() && text_[position_] != '"'; ++position_) {
        if (text_[position_] == '\n') ++line_;
        if (text_[position_] != '\\' && text_[position_] != '\n') result += text_[position_];
      }
      if (position_ >= text_.size()) fail("an end of its quoted text");
      ++position_;
      return result;
    }
    const std::size_t begin = position_;
    while (position_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[position_])) == 0 &&
           std::string_view(",;:(){}\"\\").find(text_[position_]) == std::string_view::npos) {
      ++position_;
    }
    if (position_ == begin) fail("a word");
    return std::string(text_.substr(begin, position_ - begin));
  }

  /// The rest of a statement that begins with `key`. Returns whether it was a group.
  bool statement(LibertyGroup& parent, const std::string& key, int depth) {
    if (depth > 32) fail("fewer nested groups");
    if (peek() == ':') {
      ++position_;
      std::string value = word();
      while (peek() != ';' && peek() != '}' && peek() != '\0') {
        // Expressions such as 0.1 * VDD stand without quotes.
        if (std::string_view(",:(){").find(peek()) != std::string_view::npos) fail("';'");
        value.push_back(' ');
        value += word();
      }
      if (peek() == ';') ++position_;
      parent.attributes.emplace_back(key, std::move(value));
      return false;
    }
    if (peek() != '(') fail("':' or '(' after " + key);
    ++position_;
    LibertyGroup group;
    group.kind = key;
    group.line = line_;
    while (peek() != ')') {
      group.arguments.push_back(word());
      if (peek() == ',') ++position_;
    }
    ++position_;
    if (peek() != '{') {
      if (peek() == ';') ++position_;
      std::string joined;
      for (const std::string& argument : group.arguments) {
        if (!joined.empty()) joined.push_back(',');
        joined += argument;
      }
      parent.attributes.emplace_back(key, std::move(joined));
      return false;
    }
    ++position_;
    while (peek() != '}') {
      if (peek() == '\0') fail("'}' of " + key);
      if (peek() == ';') {
        ++position_;
        continue;
      }
      const std::string next = word();
      statement(group, next, depth + 1);
    }
    ++position_;
    parent.groups.push_back(std::move(group));
    return true;
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t position_ = 0;
  int line_ = 1;
};

}  // namespace

const std::string* LibertyGroup::find(std::string_view key) const {
  const auto found = std::find_if(attributes.rbegin(), attributes.rend(),
                                  [&](const auto& attribute) { return attribute.first == key; });
  return found == attributes.rend() ? nullptr : &found->second;
}

LibertyGroup parse_liberty_syntax(std::string_view text, const std::string& path) {
  return SyntaxReader(text, path).read();
}

}  // namespace trimtab
