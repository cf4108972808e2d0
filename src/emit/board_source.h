#pragma once

#include <filesystem>
#include <string>

#include "program/program.h"
#include "program/schedule.h"

namespace trimtab {

/// Writes what a firmware needs to answer `trimtab validate` into the folder of the sources: NAME_board.c, the headers
/// of the serial line, and boards/: serial ports of boards, written out.
void write_board_sources(const Program& program, const std::string& name, InputForm input,
                         const std::filesystem::path& folder);

}  // namespace trimtab
