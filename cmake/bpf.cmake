# skbtrail_bpf_skeleton(NAME SOURCE [DEFINITION…]): compiles SOURCE for BPF with these definitions and offers NAME.skel.h
# through the target NAME_skeleton.
function(skbtrail_bpf_skeleton name source)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(header ${CMAKE_CURRENT_BINARY_DIR}/skeleton/${name}.skel.h)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/include/*.h)
  string(REGEX REPLACE "x86_64|amd64" "x86" arch ${CMAKE_SYSTEM_PROCESSOR})
  string(REGEX REPLACE "aarch64" "arm64" arch ${arch})
  list(TRANSFORM ARGN PREPEND -D OUTPUT_VARIABLE definitions)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${BPF_CLANG} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror -D__TARGET_ARCH_${arch} ${definitions}
            -I${CMAKE_CURRENT_SOURCE_DIR}/include -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
    DEPENDS ${source} ${headers}
    COMMENT "Compiling ${source} for BPF")
  add_custom_command(
    OUTPUT ${header}
    COMMAND ${BPFTOOL} gen skeleton ${object} name ${name}_bpf > ${header}
    DEPENDS ${object}
    COMMENT "Generating ${name}.skel.h")
  add_custom_target(${name}_generate DEPENDS ${header})
  add_library(${name}_skeleton INTERFACE)
  add_dependencies(${name}_skeleton ${name}_generate)
  target_include_directories(${name}_skeleton SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR}/skeleton)
  # bpftool writes C's name of bool, which clang offers to no strict C++; GCC's <stdbool.h> defines just this.
  target_compile_definitions(${name}_skeleton INTERFACE _Bool=bool)
endfunction()
