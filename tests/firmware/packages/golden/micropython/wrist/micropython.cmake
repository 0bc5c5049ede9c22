# For ports that are built with CMake: USER_C_MODULES is this file.
add_library(usermod_wrist INTERFACE)

set(wrist_sources
    ${CMAKE_CURRENT_LIST_DIR}/wristmodule.c
    ${CMAKE_CURRENT_LIST_DIR}/wrist.c
    ${CMAKE_CURRENT_LIST_DIR}/wrist_network.c
    ${CMAKE_CURRENT_LIST_DIR}/wrist_network_selftest.c
    ${CMAKE_CURRENT_LIST_DIR}/wrist_selftest.c
)
# Ports are built for size; the network is worth the speed.
set_source_files_properties(${wrist_sources} PROPERTIES COMPILE_OPTIONS -O2)
target_sources(usermod_wrist INTERFACE ${wrist_sources})
target_link_libraries(usermod INTERFACE usermod_wrist)
