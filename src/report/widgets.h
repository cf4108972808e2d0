#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/markup.h"

namespace trimtab {

// The parts that reports are made of, beside the pictures.

/// A figure on a card: what it is, its value, its bound if there is one, and a line below.
struct Card {
  std::string label;
  std::string value;
  std::string unit;
  std::optional<double> share{};  ///< of the bound that is used
  std::string more;
};
[[nodiscard]] Markup card_row(const std::vector<Card>& cards);

/// The answer in one line.
[[nodiscard]] Markup verdict(bool good, const std::string& sign, const std::string& sentence);

struct Column {
  std::string name;
  bool number = false;  ///< at the right
  std::string hint{};   ///< shown where the pointer rests
  bool sorts = true;
};

struct Cell {
  Markup content;
  std::optional<double> value{};  ///< what sorting compares, where the content is no number
  std::string style{};            ///< class of the cell
};

/// A table with heads that sort.
class Table {
 public:
  explicit Table(std::vector<Column> columns, std::string id = "") : columns_(std::move(columns)), id_(std::move(id)) {}
  /// `layer` ties the row to the same layer in other tables and pictures; `style` is a class of the row.
  void add(const std::vector<Cell>& cells, const std::string& layer = "", const std::string& style = "");
  [[nodiscard]] Markup html() const;
  [[nodiscard]] bool empty() const { return rows_.empty(); }

 private:
  std::vector<Column> columns_;
  std::string id_;
  Markup rows_;
};

/// A number, a remark beside it, and a bar of its share of the largest.
[[nodiscard]] Markup bar(double share, const std::string& text, const std::string& remark = "");
/// Bits on a tile; nothing where there are none.
[[nodiscard]] Markup bits(int number);
[[nodiscard]] Markup paragraph(const Markup& text);
[[nodiscard]] Markup soft(const Markup& text);
[[nodiscard]] Markup figure(const Markup& picture, const std::string& caption = "");
/// Names with the colours of a picture, from 0 on.
[[nodiscard]] Markup legend(const std::vector<std::string>& names);
/// Name of a class of colour `index`: "f3" fills, "s3" strokes.
[[nodiscard]] std::string colour(char kind, std::size_t index);
/// Names and values, one a line.
[[nodiscard]] Markup facts_list(const std::vector<std::pair<std::string, std::string>>& facts);

/// "8,604,361", "0.0123", "12.5": a number for people.
[[nodiscard]] std::string number_text(double value);
[[nodiscard]] std::string percent_text(double share);

}  // namespace trimtab
