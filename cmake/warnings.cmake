# Warnings are errors for our own targets only: link `skbtrail_warnings` privately.
# GCC 12 sees uninitialised members in moved-from std::optional, and frees of what was never allocated in the result of
# TRY, where there are none (GCC bugs 80635, 105562).
add_library(skbtrail_warnings INTERFACE)
target_compile_options(skbtrail_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Werror;-Wshadow;-Wconversion;-Wno-sign-conversion;-Wnon-virtual-dtor;-Woverloaded-virtual;-Wswitch>
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized;-Wno-free-nonheap-object>)
