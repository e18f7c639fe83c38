# What `cmake --install` puts where: the program, both libraries, the public headers (private ones
# live under src/ and never leave it), the catalogues, and the files by which other builds find us.
include(CMakePackageConfigHelpers)

install(TARGETS llmsim)
install(TARGETS llmsim_static llmsim_shared EXPORT llmsim-targets)
install(DIRECTORY include/llmsim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
file(GLOB catalogues CONFIGURE_DEPENDS data/*.json)
install(FILES ${catalogues} DESTINATION ${CMAKE_INSTALL_DATADIR}/llmsim)
install(DIRECTORY data/kernels DESTINATION ${CMAKE_INSTALL_DATADIR}/llmsim
        FILES_MATCHING PATTERN "*.json")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/llmsim)
configure_package_config_file(cmake/llmsim-config.cmake.in llmsim-config.cmake
                              INSTALL_DESTINATION ${cmake_dir})
# Before 1.0 a minor version may break what uses it.
write_basic_package_version_file(llmsim-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmsim-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/llmsim-config-version.cmake cmake/FindLibCSV.cmake
        DESTINATION ${cmake_dir})
install(EXPORT llmsim-targets NAMESPACE llmsim:: DESTINATION ${cmake_dir})

# From lib/pkgconfig (or lib/x86_64-linux-gnu/pkgconfig) up to the prefix.
file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" pc_prefix "${pc_prefix}")
configure_file(cmake/llmsim.pc.in llmsim.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/llmsim.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
