# skbtrail_grpc_library(NAME PROTO): messages and stubs of PROTO as the library skbtrail_NAME. Generated code keeps no
# style of ours: it is built without our warnings, and its headers are a system's to those who include them.
function(skbtrail_grpc_library name proto)
  get_filename_component(source ${proto} ABSOLUTE)
  get_filename_component(folder ${source} DIRECTORY)
  get_filename_component(stem ${source} NAME_WE)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/grpc)
  file(MAKE_DIRECTORY ${out})
  set(generated ${out}/${stem}.pb.cc ${out}/${stem}.grpc.pb.cc)
  add_custom_command(
    OUTPUT ${generated} ${out}/${stem}.pb.h ${out}/${stem}.grpc.pb.h
    COMMAND ${PROTOC} -I${folder} --cpp_out=${out} --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN} ${source}
    DEPENDS ${source}
    COMMENT "Generating ${stem}.pb.h")
  add_library(skbtrail_${name} STATIC ${generated})
  target_include_directories(skbtrail_${name} SYSTEM PUBLIC ${out})
  target_link_libraries(skbtrail_${name} PUBLIC GRPC PROTOBUF PkgConfig::ZLIB Threads::Threads)
endfunction()
