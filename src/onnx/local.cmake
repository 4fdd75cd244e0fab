# The wire code of onnx.proto, generated into the build folder and compiled without our warnings.
set(dsp_onnx_gen ${PROJECT_BINARY_DIR}/gen/onnx)
file(MAKE_DIRECTORY ${dsp_onnx_gen})
add_custom_command(
  OUTPUT ${dsp_onnx_gen}/onnx.pb-c.c ${dsp_onnx_gen}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${dsp_onnx_gen} --proto_path=${PROJECT_SOURCE_DIR}/src/onnx ${PROJECT_SOURCE_DIR}/src/onnx/onnx.proto
  DEPENDS ${PROJECT_SOURCE_DIR}/src/onnx/onnx.proto
  VERBATIM)
set_source_files_properties(${dsp_onnx_gen}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
target_sources(dsp_onnx PRIVATE ${dsp_onnx_gen}/onnx.pb-c.c ${dsp_onnx_gen}/onnx.pb-c.h)
target_include_directories(dsp_onnx SYSTEM PRIVATE ${dsp_onnx_gen})
