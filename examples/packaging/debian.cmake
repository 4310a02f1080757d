# The packages of `cpack -G DEB`: libtensortap-dev, and the tool in tensortap. CMakeLists.txt includes this file.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tensortap)
set(CPACK_PACKAGE_VENDOR tensortap)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")  # each package has its own
set(CPACK_PACKAGE_CONTACT "The tensortap authors <${PROJECT_HOMEPAGE_URL}>" CACHE STRING "Who made the packages: Name <address>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL dev)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian_files.cmake)
set(CPACK_TENSORTAP_SOURCE_DIR ${PROJECT_SOURCE_DIR})

set(CPACK_DEBIAN_DEV_PACKAGE_NAME libtensortap-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "nlohmann-json3-dev (>= 3.10)")
set(CPACK_DEBIAN_DEV_PACKAGE_SUGGESTS "cmake, pkg-config, tensortap")
if(TARGET tensortap_net)
  string(APPEND CPACK_DEBIAN_DEV_PACKAGE_DEPENDS ", libcpp-httplib-dev, libpugixml-dev, libssl-dev")
endif()
if(NOT TENSORTAP_BUILD_COMPILED)
  set(CPACK_DEBIAN_DEV_PACKAGE_ARCHITECTURE all)
endif()
set(CPACK_DEBIAN_DEV_DESCRIPTION
"library that records the tensors of training loops (headers, static library)
tensortap records the tensors of a training loop in C++ (libtorch, Eigen,
xtensor, mlpack, any other) and reads them back: while the training runs, after
it has ended, or after its machine was taken away. Its runs are those of Amazon
SageMaker Debugger, byte for byte.
.
This package has the headers, the static libraries, and the files with which
CMake and pkg-config find them.")

if(TARGET tensortap_command)
  list(APPEND CPACK_COMPONENTS_ALL tool)
  set(CPACK_DEBIAN_TOOL_PACKAGE_NAME tensortap)
  set(CPACK_DEBIAN_TOOL_PACKAGE_SECTION science)
  find_program(TENSORTAP_SHLIBDEPS dpkg-shlibdeps)  # of Debian's dpkg-dev; it needs file
  find_program(TENSORTAP_FILE file)
  mark_as_advanced(TENSORTAP_SHLIBDEPS TENSORTAP_FILE)
  if(TENSORTAP_SHLIBDEPS AND TENSORTAP_FILE)
    set(CPACK_DEBIAN_TOOL_PACKAGE_SHLIBDEPS ON)
  endif()
  set(CPACK_DEBIAN_TOOL_DESCRIPTION
"tool that shows, checks and judges the tensors of training runs
tensortap shows the runs that programs have written with the library tensortap,
or with Amazon SageMaker Debugger: in directories and on S3. It verifies their
checksums, applies rules that find what went wrong in a training, and runs
training programs to their end on machines that are taken away.")
endif()
include(CPack)
