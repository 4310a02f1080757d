# What Debian wants in each package, and an ordinary install does not: copyright, changelogs, compressed manual pages. CPack runs
# this script between the installation of the components and the making of the packages.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
set(version ${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})
file(READ ${CPACK_TENSORTAP_SOURCE_DIR}/LICENSE license)
string(REGEX REPLACE "^MIT License\n\nCopyright \\(c\\) ([^\n]*)\n\n" "" terms "${license}")
set(holder "${CMAKE_MATCH_1}")
string(REGEX REPLACE "\n+$" "" terms "${terms}")
string(REPLACE "\n\n" "\n.\n" terms "${terms}")
string(REPLACE "\n" "\n " terms "${terms}")
if(DEFINED ENV{SOURCE_DATE_EPOCH})
  set(date_of "@$ENV{SOURCE_DATE_EPOCH}")
  execute_process(COMMAND date -u -R -d ${date_of} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
else()
  execute_process(COMMAND date -u -R -r ${CPACK_TENSORTAP_SOURCE_DIR}/CHANGELOG.md
    OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()

# compress(FILE): replaces FILE by FILE.gz, which is the same for the same content.
function(compress file)
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} upper)
  set(package ${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}${CPACK_PACKAGING_INSTALL_PREFIX})
  set(doc ${root}/share/doc/${package})
  file(WRITE ${doc}/copyright
"Upstream-Name: tensortap
Source: ${CPACK_PACKAGE_HOMEPAGE_URL}

Files: *
Copyright: ${holder}
License: Expat

License: Expat
 ${terms}
")
  file(WRITE ${doc}/changelog.Debian
"tensortap (${version}) unstable; urgency=medium

  * Version ${CPACK_PACKAGE_VERSION}; changelog.gz lists what is new.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  compress(${doc}/changelog.Debian)
  configure_file(${CPACK_TENSORTAP_SOURCE_DIR}/CHANGELOG.md ${doc}/changelog COPYONLY)
  compress(${doc}/changelog)
  file(GLOB pages ${root}/share/man/man1/*.1)
  foreach(page IN LISTS pages)
    compress(${page})
  endforeach()
  if(EXISTS ${root}/share/zsh/site-functions)
    file(RENAME ${root}/share/zsh/site-functions ${root}/share/zsh/vendor-completions)  # where Debian's zsh looks
  endif()
endforeach()
