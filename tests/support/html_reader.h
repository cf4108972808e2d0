#pragma once

#include <cctype>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace trimtab::test {

/// A page as a strict reader sees it: tags, attributes and text, with the first fault that it found.
struct HtmlPage {
  std::string fault;                    ///< empty: none
  std::map<std::string, int> elements;  ///< number of elements by name
  std::string text;                     ///< outside of tags, style and script, with entities decoded
  std::vector<std::string> references;  ///< values of src, href, xlink:href and data
  std::set<std::string> ids;
};

/// Reads HTML that is written strictly: every element that is not void is closed in order, attributes stand in double
/// quotes, text has no bare '<', '>' or '&', ids are unique, and no attribute is an event handler.
class HtmlReader {
 public:
  explicit HtmlReader(std::string_view html) : rest_(html) {}

  HtmlPage read() {
    while (!rest_.empty() && page_.fault.empty()) {
      if (rest_.starts_with("<!DOCTYPE html>")) {
        rest_.remove_prefix(15);
      } else if (rest_[0] == '<') {
        read_tag();
      } else {
        read_text();
      }
    }
    if (page_.fault.empty() && !open_.empty()) fail("<" + open_.back() + "> is not closed");
    return page_;
  }

 private:
  void fail(const std::string& fault) { page_.fault = fault + " before: " + std::string(rest_.substr(0, 60)); }

  std::string name() {
    std::string word;
    while (!rest_.empty() &&
           (std::isalnum(static_cast<unsigned char>(rest_[0])) != 0 || rest_[0] == '-' || rest_[0] == ':')) {
      word += rest_[0];
      rest_.remove_prefix(1);
    }
    return word;
  }

  void skip_spaces() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])) != 0) rest_.remove_prefix(1);
  }

  std::string decoded(std::string_view raw) {
    static const std::map<std::string, char> entities{
        {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"#39", '\''}};
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '<' || raw[i] == '>') fail("a bare angle bracket");
      if (raw[i] != '&') {
        out += raw[i];
        continue;
      }
      const std::size_t end = raw.find(';', i);
      const auto entity =
          end == std::string_view::npos ? entities.end() : entities.find(std::string(raw.substr(i + 1, end - i - 1)));
      if (entity == entities.end()) {
        fail("a bare ampersand");
        return out;
      }
      out += entity->second;
      i = end;
    }
    return out;
  }

  void read_text() {
    const std::size_t end = std::min(rest_.find('<'), rest_.size());
    page_.text += decoded(rest_.substr(0, end));
    rest_.remove_prefix(end);
  }

  void read_tag() {
    rest_.remove_prefix(1);
    const bool closes = rest_.starts_with("/");
    if (closes) rest_.remove_prefix(1);
    const std::string element = name();
    if (element.empty()) return fail("no name behind <");
    if (closes) {
      if (open_.empty() || open_.back() != element) return fail("</" + element + "> closes nothing");
      open_.pop_back();
      page_.text += ' ';
      if (!rest_.starts_with(">")) return fail("no end of a closing tag");
      rest_.remove_prefix(1);
      return;
    }
    ++page_.elements[element];
    skip_spaces();
    while (!rest_.empty() && rest_[0] != '>' && !rest_.starts_with("/>")) {
      read_attribute();
      if (!page_.fault.empty()) return;
      skip_spaces();
    }
    static const std::set<std::string> voids{"meta", "img", "input", "br", "hr", "link"};
    const bool is_closed = rest_.starts_with("/>");
    rest_.remove_prefix(std::min<std::size_t>(is_closed ? 2 : 1, rest_.size()));
    if (element == "style" || element == "script") return skip_raw(element);
    if (!is_closed && !voids.contains(element)) open_.push_back(element);
  }

  void read_attribute() {
    const std::string attribute = name();
    if (attribute.empty() || !rest_.starts_with("=\"")) return fail("no attribute with a quoted value");
    rest_.remove_prefix(2);
    const std::size_t end = rest_.find('"');
    if (end == std::string_view::npos) return fail("an attribute without end");
    const std::string value = decoded(rest_.substr(0, end));
    rest_.remove_prefix(end + 1);
    if (attribute.starts_with("on")) return fail("an event handler, " + attribute);
    if (attribute == "id" && !page_.ids.insert(value).second) return fail("a second id " + value);
    if (attribute == "src" || attribute == "href" || attribute == "xlink:href" || attribute == "data")
      page_.references.push_back(value);
  }

  void skip_raw(const std::string& element) {
    const std::size_t end = rest_.find("</" + element + ">");
    if (end == std::string_view::npos) return fail("<" + element + "> is not closed");
    rest_.remove_prefix(end + element.size() + 3);
  }

  std::string_view rest_;
  std::vector<std::string> open_;
  HtmlPage page_;
};

}  // namespace trimtab::test
