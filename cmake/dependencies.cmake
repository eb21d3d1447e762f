# Everything comes as a Debian package; `./dev build` installs what is missing. The error names package and version.
find_package(PkgConfig REQUIRED)

function(skbtrail_require target module minimum package)
  pkg_check_modules(${target} IMPORTED_TARGET ${module}>=${minimum})
  if(NOT ${target}_FOUND)
    message(FATAL_ERROR "${module} ${minimum} or newer is missing: apt-get install ${package}, or run ./dev build")
  endif()
endfunction()

# The same as archives that become part of the program: skbtrail_require_archives(TARGET MODULE MINIMUM PACKAGE [MORE…])
# makes the library TARGET. MORE are what the archives need and pkg-config does not say. What has no archive (-lrt) is
# part of the C library.
function(skbtrail_require_archives target module minimum package)
  skbtrail_require(${target}_PC ${module} ${minimum} ${package})
  foreach(name ${${target}_PC_STATIC_LIBRARIES} ${ARGN})
    find_library(${name}_ARCHIVE lib${name}.a)
    if(${name}_ARCHIVE)
      list(APPEND archives ${${name}_ARCHIVE})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES archives)
  list(JOIN archives "," members)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE $<LINK_GROUP:RESCAN,${members}>)
endfunction()

skbtrail_require(LIBBPF libbpf 1.1 libbpf-dev)
skbtrail_require(LIBPCAP libpcap 1.10 libpcap-dev)
skbtrail_require(LIBMNL libmnl 1.0.4 libmnl-dev)
skbtrail_require(RE2 re2 0 libre2-dev)  # Debian 12 gives it no version
# As shared libraries these two are fifty with Abseil's, whose loading is a fifth of a trace's start.
skbtrail_require_archives(GRPC grpc++_unsecure 1.51 libgrpc++-dev address_sorting upb cares)
skbtrail_require_archives(PROTOBUF protobuf-lite 3.21 libprotobuf-dev)
skbtrail_require(PROMETHEUS prometheus-cpp-core 1.0 prometheus-cpp-dev)
skbtrail_require(HTTPLIB cpp-httplib 0.11 libcpp-httplib-dev)
skbtrail_require(OPENSSL openssl 3.0 libssl-dev)
skbtrail_require(ZLIB zlib 1.2 zlib1g-dev)
skbtrail_require(YAMLCPP yaml-cpp 0.7 libyaml-cpp-dev)
find_package(CLI11 2.1 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(Threads REQUIRED)

find_program(BPF_CLANG NAMES clang-16 clang-17 clang-18 clang-19 clang REQUIRED
  DOC "clang that compiles the BPF programs (apt-get install clang-16)")
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin REQUIRED DOC "bpftool (apt-get install bpftool)")
find_program(PROTOC NAMES protoc REQUIRED DOC "protoc (apt-get install protobuf-compiler)")
find_program(GRPC_CPP_PLUGIN NAMES grpc_cpp_plugin REQUIRED DOC "grpc_cpp_plugin (apt-get install protobuf-compiler-grpc)")
