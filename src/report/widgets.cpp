#include "report/widgets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace trimtab {

Markup card_row(const std::vector<Card>& cards) {
  Markup row;
  for (const Card& card : cards) {
    Markup value = card.value;
    if (!card.unit.empty()) value += element("span", {{"class", "unit"}}, " " + card.unit);
    Markup content = element("div", {{"class", "label"}}, card.label) + element("div", {{"class", "value"}}, value);
    if (card.share) {
      const double share = std::clamp(*card.share, 0.0, 1.0);
      content += element("div", {{"class", *card.share > 1 ? "meter bad" : "meter"}},
                         element("i", {{"style", fmt::format("width:{:.1f}%", 100 * share)}}, ""));
    }
    if (!card.more.empty()) content += element("div", {{"class", "more"}}, card.more);
    row += element("div", {{"class", "card"}}, content);
  }
  return element("div", {{"class", "cards"}}, row);
}

Markup verdict(bool good, const std::string& sign, const std::string& sentence) {
  return element("div", {{"class", good ? "verdict good" : "verdict bad"}},
                 element("span", {{"class", "sign"}}, sign) + element("p", {}, sentence));
}

void Table::add(const std::vector<Cell>& cells, const std::string& layer, const std::string& style) {
  Markup row;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    std::string kind = cell.style;
    if (i < columns_.size() && columns_[i].number) kind += kind.empty() ? "n" : " n";
    row += element("td", {{"class", kind}, {"data-value", cell.value ? fmt::format("{:.9g}", *cell.value) : ""}},
                   cell.content);
  }
  rows_ += element("tr", {{"data-layer", layer}, {"class", style}}, row);
}

Markup Table::html() const {
  Markup heads;
  for (const Column& column : columns_) {
    heads += element("th",
                     {{"class", column.number         ? "n"
                                : column.name.empty() ? "lanes"
                                                      : ""},
                      {"title", column.hint},
                      {"scope", "col"},
                      {"data-sort", column.sorts && !column.name.empty() ? "1" : ""}},
                     column.name);
  }
  return element("div", {{"class", "scroll"}},
                 element("table", {{"class", "sortable"}, {"id", id_}},
                         element("thead", {}, element("tr", {}, heads)) + element("tbody", {}, rows_)));
}

Markup bar(double share, const std::string& text, const std::string& remark) {
  const double width = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0;
  const Markup soft_remark = remark.empty() ? Markup() : element("small", {}, remark);
  return element("div", {{"class", "bar"}},
                 Markup(text) + soft_remark +
                     element("span", {}, element("i", {{"style", fmt::format("width:{:.1f}%", 100 * width)}}, "")));
}

Markup bits(int number) {
  if (number <= 0) return {};
  // few bits are warm, many are cool
  const char* kind = number <= 2 ? "bits f1" : number <= 4 ? "bits f4" : number <= 7 ? "bits f2" : "bits f0";
  return element("span", {{"class", number >= 16 ? "bits" : kind}}, fmt::format("{}", number));
}

Markup paragraph(const Markup& text) { return element("p", {}, text); }
Markup soft(const Markup& text) { return element("span", {{"class", "soft"}}, text); }

Markup figure(const Markup& picture, const std::string& caption) {
  if (picture.empty()) return {};
  Markup content = element("div", {{"class", "scroll"}}, picture);
  if (!caption.empty()) content += element("figcaption", {}, caption);
  return element("figure", {}, content);
}

std::string colour(char kind, std::size_t index) { return fmt::format("{}{}", kind, index % 8); }

Markup legend(const std::vector<std::string>& names) {
  Markup items;
  for (std::size_t i = 0; i < names.size(); ++i)
    items += element("li", {}, element("i", {{"class", colour('f', i)}}, "") + names[i]);
  return element("ul", {{"class", "legend"}}, items);
}

Markup facts_list(const std::vector<std::pair<std::string, std::string>>& facts) {
  Markup items;
  for (const auto& [name, value] : facts) items += element("dt", {}, name) + element("dd", {}, value);
  return items.empty() ? items : element("dl", {{"class", "facts"}}, items);
}

std::string number_text(double value) {
  if (!std::isfinite(value)) return "not defined";
  if (std::abs(value) < 9e15 && std::abs(value) >= 1000) return format_count(std::llround(value));
  if (value == std::floor(value)) return fmt::format("{:.0f}", value);
  return std::abs(value) >= 1 ? fmt::format("{:.2f}", value) : fmt::format("{:.3g}", value);
}

std::string percent_text(double share) {
  return fmt::format("{:.{}f} %", 100 * share, share >= 0.1 || share == 0 ? 0 : share >= 0.01 ? 1 : 2);
}

}  // namespace trimtab
