// SPDX-License-Identifier: MIT
#pragma once

namespace isotrope::app {

/// Lets the heap have pages of 2 MiB where Linux gives them to those who ask: arrays of a batch are hundreds of
/// kilobytes each and tens of megabytes together, so that a core otherwise spends some percent of a training step on
/// finding pages. To be called once, before arrays are made; larger arrays than 32 MiB stay outside the heap.
void use_huge_pages();

}  // namespace isotrope::app
