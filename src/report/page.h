#pragma once

#include <string>
#include <vector>

#include "report/markup.h"

namespace trimtab {

/// A report: one HTML file that holds all it needs. It loads nothing, and no script but our own runs in it (a Content
/// Security Policy names its hash).
struct Page {
  struct Section {
    std::string id;       ///< of the link to it, our own word
    std::string heading;  ///< also in the list of sections
    Markup body;
  };
  std::string title;
  std::string subtitle;
  Markup answer;  ///< stands before all sections
  std::vector<Section> sections;
  std::string foot;

  /// Appends a section; without a body there is none.
  void add(const std::string& id, const std::string& heading, Markup body);

  [[nodiscard]] std::string html() const;
};

}  // namespace trimtab
