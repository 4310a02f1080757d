vcpkg_check_linkage(ONLY_STATIC_LIBRARY)

# SHA512 0: vcpkg prints the right one at the first install.
vcpkg_from_github(
  OUT_SOURCE_PATH SOURCE_PATH
  REPO tensortap/tensortap
  REF "v${VERSION}"
  SHA512 0
  HEAD_REF main
)
vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    compiled TENSORTAP_BUILD_COMPILED
    net TENSORTAP_NET
    tool TENSORTAP_BUILD_TOOL
)
vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS
    ${FEATURE_OPTIONS}
    -DTENSORTAP_BUILD_TESTS=OFF
    -DTENSORTAP_BUILD_EXAMPLES=OFF
    -DTENSORTAP_BUILD_BENCHMARKS=OFF
)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/tensortap)
vcpkg_fixup_pkgconfig()
if("tool" IN_LIST FEATURES)
  vcpkg_copy_tools(TOOL_NAMES tensortap AUTO_CLEAN)
endif()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug/include" "${CURRENT_PACKAGES_DIR}/debug/share")
if(NOT "compiled" IN_LIST FEATURES)
  file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
endif()
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
