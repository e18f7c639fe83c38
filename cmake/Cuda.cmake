# The GPU profilers. cudart is linked statically and cuBLAS loaded when it is needed, so that the
# program starts on machines without either.
find_package(CUDAToolkit REQUIRED)
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
endif()
# Machine code for A100 and what runs its code (A40, RTX A6000, RTX 4090), and for H100 and H200; PTX
# for what comes after.
set(LLMSIM_CUDA_ARCHITECTURES 80-real 90 CACHE STRING "What the GPU kernels are compiled for")
set(CMAKE_CUDA_ARCHITECTURES ${LLMSIM_CUDA_ARCHITECTURES})
enable_language(CUDA)

add_library(llmsim_cuda OBJECT src/profile/cuda/cuda_device.cu)
set_target_properties(llmsim_cuda PROPERTIES CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED ON)
target_include_directories(llmsim_cuda PRIVATE include)
target_compile_options(llmsim_cuda PRIVATE
    --expt-relaxed-constexpr -Xcompiler=-fno-exceptions,-fno-threadsafe-statics
    -Xcompiler=-Wall,-Wextra,-Wshadow,-Wconversion,-Wcast-qual)
if(LLMSIM_WERROR)
    target_compile_options(llmsim_cuda PRIVATE -Werror=all-warnings -Xcompiler=-Werror)
endif()

target_sources(llmsim PRIVATE src/profile/cuda/cublas_library.c)
set_source_files_properties(src/profile/cuda/cublas_library.c PROPERTIES
    COMPILE_DEFINITIONS LLMSIM_CUBLAS_DIR="${CUDAToolkit_LIBRARY_DIR}"
    INCLUDE_DIRECTORIES "${CUDAToolkit_INCLUDE_DIRS}")
target_link_libraries(llmsim PRIVATE llmsim_cuda CUDA::cudart_static)
set_target_properties(llmsim PROPERTIES
    LINKER_LANGUAGE C CUDA_RUNTIME_LIBRARY None CUDA_ARCHITECTURES "${LLMSIM_CUDA_ARCHITECTURES}")
target_link_options(llmsim PRIVATE LINKER:--as-needed) # no C++ runtime for what needs none
