#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "graph/device_form.h"

namespace trimtab::cli {

// Prints docs/operators.md. Not for people.
void add_operator_table(CLI::App& app) {
  CLI::App* command = app.add_subcommand("operator-table", "print all operators as a Markdown table");
  command->group("");  // hidden
  command->callback([] {
    fmt::print(
        "# All operators\n\n"
        "The operators of a network, the ONNX operators that become them, and their form on a device. "
        "`src/graph/device_form.cpp` is the only place that says it. "
        "Made by `trimtab operator-table > docs/operators.md`; a test compares the two.\n\n"
        "- *own layer, fit*: the operator can be a layer of its own in a program of `fit`. Others are part of a layer. "
        "`fit` names the layers that it has to refuse.\n"
        "- *own layer, scale*: the same for a program of `scale`, whose precision is chosen at run time.\n"
        "- Identity, Dropout, Cast, Shape and Constant become no operator. "
        "Nor does a Transpose that only changes the layout. The importer applies them to what they read.\n"
        "- An operator whose inputs are all constants is computed by the importer.\n\n"
        "| operator | from ONNX | form on the device | own layer, fit | own layer, scale | limits "
        "|\n|---|---|---|---|---|---|\n");
    const auto yes_or_no = [](bool yes) { return yes ? "yes" : "no"; };
    for (const Operator& op : all_operators()) {
      const FormTraits traits = device_traits(op);
      const OperatorNotes notes = notes_of(op);
      fmt::print("| `{}` | {} | {} | {} | {} | {} |\n", operator_name(op), notes.onnx, traits.text,
                 yes_or_no(traits.runs), yes_or_no(traits.nested), notes.limits);
    }
  });
}

}  // namespace trimtab::cli
