/* The checksum that tells damaged constants. */
#ifndef EDGECNN_CRC32_H
#define EDGECNN_CRC32_H

#include "edgecnn_base.h"

/* CRC-32 as of zlib and Ethernet, continued from `crc` (0 at the start), four bits at a time. */
EDGECNN_SHARED uint32_t edgecnn_crc32(uint32_t crc, const void *data, uint32_t bytes) {
    static const uint32_t steps[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
        0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
    };
    const uint8_t *byte = (const uint8_t *)data;
    crc = ~crc;
    while (bytes-- > 0) {
        crc ^= *byte++;
        crc = (crc >> 4) ^ steps[crc & 15u];
        crc = (crc >> 4) ^ steps[crc & 15u];
    }
    return ~crc;
}

#endif
