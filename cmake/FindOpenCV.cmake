# The parts of OpenCV that are asked for, as targets opencv_PART, found by their headers and shared libraries. OpenCV's own configuration file
# is in Debian's libopencv-dev alone, which brings every module of OpenCV and, with them, VTK, MPI and a desktop.
# Sets OpenCV_LIBS and OpenCV_INCLUDE_DIRS.
find_path(OpenCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
set(OpenCV_INCLUDE_DIRS ${OpenCV_INCLUDE_DIR})
set(OpenCV_LIBS)
set(needed OpenCV_INCLUDE_DIR)
foreach(part ${OpenCV_FIND_COMPONENTS})
  find_library(OpenCV_${part}_LIBRARY opencv_${part})
  list(APPEND needed OpenCV_${part}_LIBRARY)
  if(OpenCV_${part}_LIBRARY AND OpenCV_INCLUDE_DIR AND NOT TARGET opencv_${part})
    add_library(opencv_${part} INTERFACE IMPORTED)
    set_target_properties(opencv_${part} PROPERTIES INTERFACE_LINK_LIBRARIES ${OpenCV_${part}_LIBRARY}
                                                    INTERFACE_INCLUDE_DIRECTORIES ${OpenCV_INCLUDE_DIR})
  endif()
  list(APPEND OpenCV_LIBS opencv_${part})
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCV REQUIRED_VARS ${needed})
