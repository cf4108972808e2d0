#include "report/markup.h"

#include "base/text.h"

namespace trimtab {
namespace {

std::string open_tag(std::string_view name, Attributes attributes) {
  std::string tag = "<";
  tag += name;
  for (const auto& [attribute, value] : attributes) {
    if (value.empty()) continue;
    tag += " ";
    tag += attribute;
    tag += "=\"" + escape(value) + "\"";
  }
  return tag;
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : printable(text, true)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

Markup element(std::string_view name, Attributes attributes, const Markup& content) {
  Markup markup;
  markup.html_ = open_tag(name, attributes) + ">" + content.html_ + "</";
  markup.html_ += name;
  markup.html_ += ">";
  return markup;
}

Markup empty_element(std::string_view name, Attributes attributes) {
  Markup markup;
  markup.html_ = open_tag(name, attributes) + "/>";
  return markup;
}

}  // namespace trimtab
