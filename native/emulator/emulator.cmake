# The CUDA emulator and its tests. The npm package leaves this folder out: the addon does not need it.

set(FTWT_EMULATOR_TARGETS emulator ftwt-emulated emulator-tests)

# Sets `out` to C++ sources that compile the given .cu files for the emulator. A wrapper each, so that whatever CMake
# knows about .cu files does not matter. Their target links `emulator`.
function(emulated_sources out)
  set(wrappers "")
  foreach(source IN LISTS ARGN)
    get_filename_component(path ${source} ABSOLUTE)
    set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/emulated/${source}.cc)
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"${path}\"\n")
    # -O2 under sanitizers, too: kernels are where the time goes. Nothing is fused unless the kernel says so, so that
    # results do not depend on the host's processor.
    set_source_files_properties(${wrapper} PROPERTIES COMPILE_OPTIONS "-O2;-ffp-contract=off;-Wno-unknown-pragmas")
    list(APPEND wrappers ${wrapper})
  endforeach()
  set(${out} ${wrappers} PARENT_SCOPE)
endfunction()

add_library(emulator STATIC
  native/emulator/async_copy.cc
  native/emulator/block.cc
  native/emulator/copy.cc
  native/emulator/device.cc
  native/emulator/error.cc
  native/emulator/event.cc
  native/emulator/fiber.cc
  native/emulator/graph.cc
  native/emulator/kernel.cc
  native/emulator/memory.cc
  native/emulator/mma.cc
  native/emulator/poison.cc
  native/emulator/pool.cc
  native/emulator/progress.cc
  native/emulator/report.cc
  native/emulator/schedule.cc
  native/emulator/shared_memory.cc
  native/emulator/stream.cc
  native/emulator/switch.cc)
target_include_directories(emulator PUBLIC native native/emulator/include)
target_compile_definitions(emulator PUBLIC FTWT_EMULATOR=1)
target_compile_options(emulator PRIVATE ${FTWT_WARNINGS})
target_link_libraries(emulator PUBLIC Threads::Threads)

# The addon a second time, with the CUDA kernels run by the emulator. node-gyp-build takes the first addon of a folder:
# this one lies in a folder of its own.
emulated_sources(_emulated_kernels ${FTWT_CUDA_SOURCES})
add_addon(ftwt-emulated ${_emulated_kernels})
target_link_libraries(ftwt-emulated PRIVATE emulator)
if(CMAKE_LIBRARY_OUTPUT_DIRECTORY)  # cmake-js sets it
  set_target_properties(ftwt-emulated PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/emulator)
endif()

emulated_sources(_emulated_tests
  native/emulator/tests/async_copies.cu
  native/emulator/tests/barriers.cu
  native/emulator/tests/graphs.cu
  native/emulator/tests/launches.cu
  native/emulator/tests/memory.cu
  native/emulator/tests/streams.cu
  native/emulator/tests/tensor_cores.cu
  native/emulator/tests/timing.cu
  native/emulator/tests/warps.cu)
add_executable(emulator-tests native/emulator/tests/main.cc ${_emulated_tests})
target_compile_options(emulator-tests PRIVATE ${FTWT_WARNINGS})
target_link_libraries(emulator-tests PRIVATE emulator)
if(CMAKE_LIBRARY_OUTPUT_DIRECTORY)  # beside ftwt.node
  set_target_properties(emulator-tests PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
endif()
