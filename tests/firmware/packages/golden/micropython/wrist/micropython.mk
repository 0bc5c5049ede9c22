# For ports that are built with make: USER_C_MODULES is the folder that holds this one.
WRIST_MODULE_DIR := $(USERMOD_DIR)

SRC_USERMOD_C += $(WRIST_MODULE_DIR)/wristmodule.c
SRC_USERMOD_LIB_C +=  \
    $(WRIST_MODULE_DIR)/wrist.c \
    $(WRIST_MODULE_DIR)/wrist_network.c \
    $(WRIST_MODULE_DIR)/wrist_network_selftest.c \
    $(WRIST_MODULE_DIR)/wrist_selftest.c

# Ports are built for size; the network is worth the speed.
$(BUILD)/$(notdir $(WRIST_MODULE_DIR))/%.o: CFLAGS += -O2
