#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/error.h"

namespace trimtab {

/// How a command ends on an exception.
struct Fault {
  ExitCode code = ExitCode::failure;
  std::string sentence;
};

/// The one place where exceptions of other libraries become sentences. Errors of this project keep theirs. A file
/// system's error names its file. Lack of memory is said to be that. Everything else is internal: the sentence has the
/// library's words without its stack trace, its file and line where it names them, and asks for a report.
[[nodiscard]] Fault describe_exception(const std::exception_ptr& exception);

/// `throw internal_fault("the arena has no room")`: a condition that only an error of this program can break.
/// `file` and `line` are the caller's (as std::source_location, which clang 14 lacks).
[[nodiscard]] Error internal_fault(std::string_view what, const char* file = __builtin_FILE(),
                                   int line = __builtin_LINE());

}  // namespace trimtab
