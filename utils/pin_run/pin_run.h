/* SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB */
/*
 * What ibv_dmabuf_pin_run tells the library that it has the program load.
 */
#ifndef PIN_RUN_H
#define PIN_RUN_H

/* A variable in the environment, with words separated by commas; the first is "pinned". */
#define PIN_VARIABLE "IBV_DMABUF_PIN"
#define PIN_REQUIRE_P2P "require-p2p"
#define PIN_ALLOW_REVOKE "allow-revoke"

#endif /* PIN_RUN_H */
