# Puts src/plot/*.gp into the program, as bytes: they are gnuplot's to read, not the compiler's.
file(GLOB plot_scripts CONFIGURE_DEPENDS src/plot/*.gp)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${plot_scripts})
set(arrays "")
set(rows "")
foreach(script ${plot_scripts})
    get_filename_component(name ${script} NAME_WE)
    file(READ ${script} bytes HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "static const unsigned char ${name}[] = {${bytes}};\n")
    string(APPEND rows "    {\"${name}\", ${name}, sizeof ${name}},\n")
endforeach()
set(plot_scripts_source ${CMAKE_CURRENT_BINARY_DIR}/plot_scripts.c)
file(CONFIGURE OUTPUT ${plot_scripts_source} @ONLY CONTENT
"/* Made by cmake/PlotScripts.cmake. */
#include \"plot_scripts.h\"

${arrays}
const struct plot_script plot_scripts[] = {
${rows}    {NULL, NULL, 0},
};
")
