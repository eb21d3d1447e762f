# SKBTRAIL_SANITIZE is a comma-separated list for -fsanitize=, set by the presets asan and tsan.
set(SKBTRAIL_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined")
if(SKBTRAIL_SANITIZE)
  add_compile_options(-fsanitize=${SKBTRAIL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SKBTRAIL_SANITIZE})
endif()
