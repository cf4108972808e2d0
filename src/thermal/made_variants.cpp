#include "thermal/made_variants.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "report/facts.h"
#include "report/folder.h"

namespace trimtab::thermal {
namespace {

constexpr const char* core_prefix = "cortex-";

/// What a folder says, before it is compared with the others.
struct FolderFacts {
  std::string core;
  std::string data;
  std::int64_t samples = 0;
  std::vector<MadeVariant> variants;
};

double instructions_of(const Facts& value, const std::filesystem::path& folder) {
  if (!value.is_number() || !(value.get<double>() > 0))
    throw bad_input("{} says of no instructions of an inference; make it with --target", folder.string());
  return value.get<double>();
}

double top1_of(const Facts& score, const std::filesystem::path& folder) {
  const auto top1 = number(score, "top1");
  if (!top1 || *top1 < 0 || *top1 > 100) {
    throw bad_input("{} has no top-1 in percent; variants are compared by the top-1 of classifications",
                    folder.string());
  }
  return *top1;
}

std::int64_t samples_of(const Facts& score, const std::filesystem::path& folder) {
  const auto samples = whole(score, "samples");
  if (!samples || *samples < 1) throw bad_input("{} does not say how many samples it was measured on", folder.string());
  return *samples;
}

FolderFacts facts_of_fit(const Facts& result, const std::filesystem::path& folder) {
  FolderFacts facts;
  facts.core = words(result, "target");
  facts.samples = samples_of(result, folder);
  facts.variants.push_back({"", "", 0, instructions_of(fact(result, "instructions"), folder), top1_of(result, folder)});
  return facts;
}

FolderFacts facts_of_scale(const Facts& result, const std::filesystem::path& folder) {
  FolderFacts facts;
  const Facts& device = fact(result, "device");
  facts.core = words(device, "target");
  const Facts& instructions = list(device, "instructions");
  const Facts& points = list(result, "points");
  if (points.empty() || instructions.size() != points.size()) {
    throw bad_input("{} has no instructions of its {} operating points; make it with --target", folder.string(),
                    points.size());
  }
  for (std::size_t k = 0; k < points.size(); ++k) {
    const Facts& measured = list(points[k], "measured");
    if (measured.empty()) throw bad_input("{} does not say how good operating point {} is", folder.string(), k);
    const Facts& test = fact(measured[0], "test");  // of the finest level
    const std::int64_t samples = samples_of(test, folder);
    if (k > 0 && samples != facts.samples)
      throw bad_input("{} has operating points that were measured on different samples", folder.string());
    facts.samples = samples;
    facts.variants.push_back(
        {"", "", static_cast<int>(k), instructions_of(instructions[k], folder), top1_of(test, folder)});
  }
  return facts;
}

FolderFacts facts_of(const std::filesystem::path& folder) {
  const Facts result = read_finished(folder).result;
  const std::string command = words(result, "command");
  if (command != "fit" && command != "scale")
    throw bad_input("{} is no result of fit or scale; give folders that these commands made", folder.string());
  FolderFacts facts = command == "fit" ? facts_of_fit(result, folder) : facts_of_scale(result, folder);
  facts.data = words(result, "data");
  if (facts.data.empty()) throw bad_input("{} does not say which data it was measured on", folder.string());
  if (!facts.core.starts_with(std::string(core_prefix) + "a")) {
    throw bad_input("{} was made for {}; variants are for Cortex-A cores, such as cortex-a53", folder.string(),
                    facts.core.empty() ? "this machine" : facts.core);
  }
  return facts;
}

/// The cluster that is named, or the one of that core. Its voltages must be known.
const Cluster& cluster_of(const Soc& soc, const std::string& name, const std::string& core,
                          const std::filesystem::path& folder) {
  const std::string own = core.substr(std::string(core_prefix).size());
  if (name.empty() && std::ranges::find(soc.clusters, own, &Cluster::name) == soc.clusters.end()) {
    std::string names;
    for (const Cluster& cluster : soc.clusters) names += (names.empty() ? "" : ", ") + cluster.name;
    throw bad_input(
        "{} was made for {}, and {} has the clusters {}; make it for a core of the SoC, or name its cluster "
        "with --cluster",
        folder.string(), core, soc.name, names);
  }
  const Cluster& found = find_cluster(soc, name.empty() ? own : name);
  for (const Opp& opp : found.opps) {
    if (opp.volts <= 0)
      throw bad_input(
          "the cluster '{}' of {} has no voltages, without which no energy is known; give opps_v in its file",
          found.name, soc.name);
  }
  return found;
}

std::string name_of(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder.lexically_normal();
  return (path.filename().empty() ? path.parent_path() : path).filename().string();
}

std::string comment(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return "# " + text + "\n";
}

}  // namespace

MadeVariants read_made_variants(const std::vector<std::filesystem::path>& folders, const Soc& soc,
                                const std::string& cluster) {
  if (folders.empty()) throw bad_input("there is no folder to make variants of; give some that fit or scale made");
  MadeVariants made;
  std::set<std::string> names;
  for (const std::filesystem::path& folder : folders) {
    FolderFacts facts = facts_of(folder);
    const std::string first = folders.front().string();
    if (made.variants.empty()) {
      made.core = facts.core;
      made.data = facts.data;
      made.samples = facts.samples;
      made.cluster = cluster_of(soc, cluster, facts.core, folder).name;
    }
    if (facts.data != made.data || facts.samples != made.samples) {
      throw bad_input("{} was measured on {} samples of {}, and {} on {} of {}; variants need a common data set",
                      folder.string(), facts.samples, facts.data, first, made.samples, made.data);
    }
    if (facts.core != made.core)
      throw bad_input("{} was made for {}, and {} for {}; variants of a cluster need one core", folder.string(),
                      facts.core, first, made.core);
    for (MadeVariant& variant : facts.variants) {
      variant.folder = name_of(folder);
      const bool alone = folders.size() == 1;
      const std::string point = std::to_string(variant.operating_point);
      variant.name = facts.variants.size() == 1 ? variant.folder : alone ? point : variant.folder + ":" + point;
      if (!names.insert(variant.name).second) {
        throw bad_input(
            "two folders are called '{}'; a variant has the name of its folder, so give them different names",
            variant.folder);
      }
      made.variants.push_back(std::move(variant));
    }
  }
  return made;
}

std::string format_variants(const MadeVariants& made, const Soc& soc, const VariantAssumptions& assumptions) {
  std::string text;
  text +=
      comment(fmt::format("Variants for the cluster {} of {}, made by trimtab variants from results of fit and scale.",
                          made.cluster, soc.name));
  text +=
      comment(fmt::format("accuracy: measured: top-1 of the integers on {} samples of {}.", made.samples, made.data));
  text +=
      comment(fmt::format("instructions: emulated: of an inference on one thread of {}, counted by QEMU.", made.core));
  text += comment(
      fmt::format("gcycles: assumed: the instructions at {:g} per cycle; measure it by trimtab sustain profile.",
                  assumptions.instructions_per_cycle));
  text += comment(fmt::format("fixed_ms: assumed: {:g} ms of memory time.", assumptions.fixed_ms));
  text +=
      comment(fmt::format("mj_per_v2: assumed: {:g} J/V^2 for 1e9 instructions.", assumptions.joule_per_ginstruction));
  text += comment("cores: emulated: one thread. operating_point: of the program in folder; its points need no reload.");
  text += "variant,cluster,cores,gcycles,fixed_ms,mj_per_v2,accuracy,instructions,folder,operating_point\n";
  for (const MadeVariant& variant : made.variants) {
    const double ginstructions = variant.instructions * 1e-9;
    text += fmt::format("{},{},1,{:.9g},{:g},{:.6g},{:.6g},{:.0f},{},{}\n", csv_field(variant.name),
                        csv_field(made.cluster), ginstructions / assumptions.instructions_per_cycle,
                        assumptions.fixed_ms, ginstructions * assumptions.joule_per_ginstruction * 1e3,
                        variant.accuracy, variant.instructions, csv_field(variant.folder), variant.operating_point);
  }
  return text;
}

}  // namespace trimtab::thermal
