#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trimtab {

/// Any text as it may stand between tags and in quoted attributes of HTML and SVG: the only way from text to markup.
/// Control characters, bytes that are no UTF-8, and marks that turn the direction of writing become \xNN.
[[nodiscard]] std::string escape(std::string_view text);

/// Attributes with any text as their values; those with an empty value are left out.
using Attributes = std::initializer_list<std::pair<std::string_view, std::string>>;

/// A piece of HTML or SVG. Whatever is given as text is escaped on the way in, so that a layer's name or a path from
/// outside can never become a tag. Tags come from element() alone.
class Markup {
 public:
  Markup() = default;
  // Text converts on purpose: the short way to write is the safe one.
  Markup(std::string_view text) : html_(escape(text)) {}    // NOLINT(google-explicit-constructor)
  Markup(const std::string& text) : html_(escape(text)) {}  // NOLINT(google-explicit-constructor)
  Markup(const char* text) : html_(escape(text)) {}         // NOLINT(google-explicit-constructor)

  Markup& operator+=(const Markup& more) {
    html_ += more.html_;
    return *this;
  }
  [[nodiscard]] friend Markup operator+(Markup one, const Markup& other) { return one += other; }

  [[nodiscard]] const std::string& html() const { return html_; }
  [[nodiscard]] bool empty() const { return html_.empty(); }

 private:
  friend Markup element(std::string_view name, Attributes attributes, const Markup& content);
  friend Markup empty_element(std::string_view name, Attributes attributes);
  std::string html_;
};

/// <name a="value">content</name>. `name` and the names of attributes are our own.
[[nodiscard]] Markup element(std::string_view name, Attributes attributes, const Markup& content);
/// <name a="value"/>, for elements of SVG without content, and <img>.
[[nodiscard]] Markup empty_element(std::string_view name, Attributes attributes);

}  // namespace trimtab
