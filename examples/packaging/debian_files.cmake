# What Debian wants in each package, and an ordinary install does not: copyright, changelogs, a manual page. CPack runs
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
  if(component STREQUAL "tool")
    # The manual page is what the tool says of itself. A tool for another machine cannot say it.
    set(tool ${root}/bin/tensortap)
    execute_process(COMMAND ${tool} --help OUTPUT_VARIABLE help RESULT_VARIABLE failed ERROR_QUIET)
    if(NOT failed)
      string(REGEX MATCHALL "\n  [a-z]+ " commands "${help}")
      set(page "${help}")
      foreach(command IN LISTS commands)
        string(STRIP ${command} command)
        execute_process(COMMAND ${tool} ${command} --help OUTPUT_VARIABLE more RESULT_VARIABLE unknown ERROR_QUIET)
        if(NOT unknown)
          string(APPEND page "@@${command}\n${more}")
        endif()
      endforeach()
      string(REPLACE "\\" "\\e" page "${page}")
      string(REPLACE "-" "\\-" page "${page}")
      string(REGEX REPLACE "\n([.'])" "\n\\\\&\\1" page "${page}")
      string(REGEX REPLACE "@@([a-z]+)\n" "\n.fi\n.SH \\1\n.nf\n" page "${page}")
      file(WRITE ${root}/share/man/man1/tensortap.1
".TH TENSORTAP 1 \"\" \"tensortap ${CPACK_PACKAGE_VERSION}\"
.SH NAME
tensortap \\- show, check and judge the tensors of training runs
.SH DESCRIPTION
.nf
${page}
.fi
")
      compress(${root}/share/man/man1/tensortap.1)
    endif()
  endif()
endforeach()
