# wintun_sim_extension(MODULE HEADER header... SOURCES source...)
#
# Builds the cffi extension MODULE (a dotted Python name) from the marked blocks of HEADER (write_extension.py), one
# file or several of one directory, and SOURCES. The sources are compiled strictly, as the target <last part of
# MODULE>_sources; the file that cffi writes is not ours, so it is compiled without those warnings.

function(wintun_sim_extension module)
    cmake_parse_arguments(PARSE_ARGV 1 argument "" "" "HEADER;SOURCES")
    string(REGEX REPLACE "^.*\\." "" name "${module}")
    string(REGEX REPLACE "\\.[^.]*$" "" package "${module}")
    string(REPLACE "." "/" package "${package}")
    list(GET argument_HEADER 0 first_header)
    get_filename_component(header_directory "${first_header}" DIRECTORY)
    set(glue "${CMAKE_CURRENT_BINARY_DIR}/${name}_glue.c")
    set(writer "${CMAKE_CURRENT_SOURCE_DIR}/cmake/write_extension.py")

    add_library(${name}_sources OBJECT ${argument_SOURCES})
    set_target_properties(${name}_sources PROPERTIES POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden
        C_STANDARD 11 C_STANDARD_REQUIRED ON)
    target_include_directories(${name}_sources PRIVATE "${header_directory}")
    wintun_sim_warnings(${name}_sources)

    add_custom_command(
        OUTPUT "${glue}"
        COMMAND "${Python_EXECUTABLE}" "${writer}" "${module}" ${argument_HEADER} "${glue}"
        DEPENDS ${argument_HEADER} "${writer}"
        VERBATIM)
    wintun_sim_library(${name} "${glue}")
    target_link_libraries(${name} PRIVATE ${name}_sources)
    target_include_directories(${name} PRIVATE "${header_directory}")
    wintun_sim_sanitize(${name}_sources ${name})
    install(TARGETS ${name} DESTINATION "${package}")
endfunction()

# wintun_sim_module(MODULE source...) builds the extension MODULE that is written by hand, from sources that include
# Python.h.
function(wintun_sim_module module)
    string(REGEX REPLACE "^.*\\." "" name "${module}")
    string(REGEX REPLACE "\\.[^.]*$" "" package "${module}")
    string(REPLACE "." "/" package "${package}")
    wintun_sim_library(${name} ${ARGN})
    set_target_properties(${name} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
    wintun_sim_warnings(${name})
    wintun_sim_sanitize(${name})
    install(TARGETS ${name} DESTINATION "${package}")
endfunction()

function(wintun_sim_library name)
    if(SKBUILD_SABI_VERSION)
        python_add_library(${name} MODULE USE_SABI ${SKBUILD_SABI_VERSION} WITH_SOABI ${ARGN})
    else()
        python_add_library(${name} MODULE WITH_SOABI ${ARGN})
    endif()
    target_compile_definitions(${name} PRIVATE "VERSION_TEXT=\"${WINTUN_SIM_VERSION}\"")
endfunction()

function(wintun_sim_warnings target)
    if(MSVC)
        target_compile_options(${target} PRIVATE /W4 $<$<BOOL:${WINTUN_SIM_WERROR}>:/WX>)
    else()
        target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wshadow
            $<$<BOOL:${WINTUN_SIM_WERROR}>:-Werror>)
    endif()
endfunction()

function(wintun_sim_sanitize)
    if(NOT WINTUN_SIM_SANITIZE)
        return()
    endif()
    foreach(target ${ARGN})
        target_compile_options(${target} PRIVATE "-fsanitize=${WINTUN_SIM_SANITIZE}" -fno-sanitize-recover=all
            -fno-omit-frame-pointer -g)
        # The runtime is preloaded into Python, so it must be the shared one; that is gcc's default.
        target_link_options(${target} PRIVATE "-fsanitize=${WINTUN_SIM_SANITIZE}"
            $<$<C_COMPILER_ID:Clang>:-shared-libsan>)
    endforeach()
endfunction()
