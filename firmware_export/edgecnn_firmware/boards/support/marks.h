/* Included before each source of a build with marks: EDGECNN_MARK(op) becomes a call that the emulator records. */
#ifndef EDGECNN_BOARD_MARKS_H
#define EDGECNN_BOARD_MARKS_H

void edgecnn_mark(int layer);
#define EDGECNN_MARK(op) edgecnn_mark(op)

#endif
