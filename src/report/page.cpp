#include "report/page.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/base64.h"
#include "base/sha256.h"
#include "report/page_files.h"

namespace trimtab {
namespace {

/// The hash of an inline script as Content-Security-Policy wants it (CSP Level 3, section 2.3.1).
std::string hash_source(std::string_view script) {
  const std::string digits = sha256({reinterpret_cast<const std::uint8_t*>(script.data()), script.size()});
  std::array<std::uint8_t, 32> hash{};
  for (std::size_t i = 0; i < hash.size(); ++i)
    hash[i] = static_cast<std::uint8_t>(std::strtoul(digits.substr(2 * i, 2).c_str(), nullptr, 16));
  return "'sha256-" + base64(hash) + "'";
}

}  // namespace

void Page::add(const std::string& id, const std::string& heading, Markup body) {
  if (!body.empty()) sections.push_back({id, heading, std::move(body)});
}

std::string Page::html() const {
  Markup links;
  Markup bodies;
  for (const Section& section : sections) {
    links += element("a", {{"href", "#" + section.id}}, section.heading);
    bodies += element("section", {{"id", section.id}}, element("h2", {}, section.heading) + section.body);
  }
  const Markup head = element("header", {},
                              element("div", {{"class", "brand"}}, "trimtab report") + element("h1", {}, title) +
                                  element("div", {{"class", "soft"}}, subtitle));
  const std::string policy =
      "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src " +
      hash_source(page_script);
  // The page's own style and script are the only text that is not escaped.
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"" +
         escape(policy) +
         "\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n" +
         element("title", {}, title).html() + "\n<style>\n" + page_style + "</style>\n</head>\n<body>\n" + head.html() +
         element("main", {}, answer).html() + "\n" + element("nav", {}, links).html() + "\n" +
         element("main", {}, bodies).html() + "\n" + element("footer", {}, foot).html() + "\n<script>" + page_script +
         "</script>\n</body>\n</html>\n";
}

}  // namespace trimtab
