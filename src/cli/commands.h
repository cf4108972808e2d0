#pragma once

namespace CLI {
class App;
}

namespace trimtab::cli {

// One function per subcommand, each in the file of its name. It adds the subcommand with its options and its callback.
// (Keep the list in the order in which `trimtab --help` should show it.)

}  // namespace trimtab::cli
