# Stages of ezkl exchange JSON; the driver is what offers them where ezkl is a Python package only.
target_link_libraries(dsp_backends PUBLIC PkgConfig::JANSSON)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/src/backends/ezkl_driver.py DESTINATION ${CMAKE_INSTALL_DATADIR}/dsperse RENAME ezkl-driver.py)
