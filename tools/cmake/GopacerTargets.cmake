# The compile settings that every target shares, and the two functions that declare modules and their tests.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

find_program(CCACHE ccache)
if(CCACHE)
  # Without the checkout's path in its keys, the compiler cache serves every clone.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
# g++ 12 sees overlaps in std::string's operator+ that aren't there (GCC bug 105651).
add_compile_options($<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
# What strangers send is parsed here: overruns that the compiler or the library can see end the process, and the program
# lies at random addresses, with tables that cannot be written to. tools/check_hardening.sh looks whether it is so.
set(CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE} -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong")
set(CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE} -fstack-clash-protection")
add_link_options($<$<CONFIG:Release>:-Wl,-z,relro,-z,now> $<$<AND:$<CONFIG:Release>,$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>>:-pie>)
# Debug information of line tables is enough for a backtrace and halves the object files.
add_compile_options($<$<CONFIG:Debug>:-g1> $<$<CONFIG:Debug>:-O1>)
# Same object files whatever the checkout's path, so that the compiler cache serves every clone.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

set(GOPACER_SANITIZE "" CACHE STRING "Sanitizers for every target, as -fsanitize= takes them")
if(GOPACER_SANITIZE)
  add_compile_options(-fsanitize=${GOPACER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GOPACER_SANITIZE})
  if(GOPACER_SANITIZE STREQUAL thread)
    # Boost.Asio's fences stand beside its locks, and ThreadSanitizer does not know fences.
    add_compile_options(-Wno-tsan)
  endif()
endif()

# gopacer_library(NAME SOURCES a.cpp … [DEPS other modules and libraries …])
# declares the static library gopacer_NAME of operator/NAME.
function(gopacer_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(gopacer_${name} STATIC ${ARG_SOURCES})
  target_include_directories(gopacer_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/operator)
  target_link_libraries(gopacer_${name} PUBLIC ${ARG_DEPS})
endfunction()

# gopacer_test(NAME SOURCES a_test.cpp … [DEPS …] [LABEL unit|api|cluster])
# declares the test program NAME_tests; ctest runs each of its tests in a process of its own.
function(gopacer_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  if(rapidcheck IN_LIST ARG_DEPS)
    list(APPEND ARG_SOURCES ${CMAKE_SOURCE_DIR}/tests/property_seed.cpp)
  endif()
  add_executable(${name}_tests ${ARG_SOURCES})
  target_include_directories(${name}_tests PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(${name}_tests PRIVATE ${ARG_DEPS} gopacer_source_dir GTest::gmock_main)
  if(GOPACER_SANITIZE)
    # With sanitizers on, g++ 12 takes what an empty optional holds for uninitialized when it is copied (GCC bug 80635).
    target_compile_options(${name}_tests PRIVATE -Wno-maybe-uninitialized)
  endif()
  gtest_discover_tests(${name}_tests
    DISCOVERY_TIMEOUT 60
    NO_PRETTY_VALUES # a parameter's bytes say less than its name
    TEST_PREFIX ${name}.
    PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
endfunction()
