/* SPDX-License-Identifier: MIT
 *
 * Which NDIS a driver is built for: the symbols that it defines before ndis.h, turned into numbers and feature tests.
 *
 * learn.microsoft.com/windows-hardware/drivers/network/ndis-version-preprocessor-definitions. Without such a symbol
 * (the host kernel) the newest version is described, so that every structure is as large as any driver's.
 */
#ifndef NT_NDIS_VERSION_H
#define NT_NDIS_VERSION_H

#if defined(NDIS681_MINIPORT) || defined(NDIS682_MINIPORT) || defined(NDIS683_MINIPORT) || \
    defined(NDIS684_MINIPORT) || defined(NDIS685_MINIPORT) || defined(NDIS686_MINIPORT) || \
    defined(NDIS687_MINIPORT) || defined(NDIS688_MINIPORT)
#error "these headers describe NDIS up to 6.80: define NDIS680_MINIPORT"
#endif

#if defined(NDIS60_MINIPORT) || defined(NDIS60)
#define NDIS_MINIPORT_MINOR_VERSION 0
#elif defined(NDIS61_MINIPORT) || defined(NDIS61)
#define NDIS_MINIPORT_MINOR_VERSION 1
#elif defined(NDIS620_MINIPORT) || defined(NDIS620)
#define NDIS_MINIPORT_MINOR_VERSION 20
#elif defined(NDIS630_MINIPORT) || defined(NDIS630)
#define NDIS_MINIPORT_MINOR_VERSION 30
#elif defined(NDIS640_MINIPORT) || defined(NDIS640)
#define NDIS_MINIPORT_MINOR_VERSION 40
#elif defined(NDIS650_MINIPORT) || defined(NDIS650)
#define NDIS_MINIPORT_MINOR_VERSION 50
#elif defined(NDIS651_MINIPORT) || defined(NDIS651)
#define NDIS_MINIPORT_MINOR_VERSION 51
#elif defined(NDIS660_MINIPORT) || defined(NDIS660)
#define NDIS_MINIPORT_MINOR_VERSION 60
#elif defined(NDIS670_MINIPORT) || defined(NDIS670)
#define NDIS_MINIPORT_MINOR_VERSION 70
#else
#define NDIS_MINIPORT_MINOR_VERSION 80
#endif
#define NDIS_MINIPORT_MAJOR_VERSION         6
#define NDIS_MINIPORT_MINIMUM_MAJOR_VERSION 6
#define NDIS_MINIPORT_MINIMUM_MINOR_VERSION 0
#define NDIS_MINIPORT_VERSION               ((NDIS_MINIPORT_MAJOR_VERSION << 16) | NDIS_MINIPORT_MINOR_VERSION)

#define NDIS_SUPPORT_NDIS6   1
#define NDIS_SUPPORT_NDIS61  (NDIS_MINIPORT_MINOR_VERSION >= 1)
#define NDIS_SUPPORT_NDIS620 (NDIS_MINIPORT_MINOR_VERSION >= 20)
#define NDIS_SUPPORT_NDIS630 (NDIS_MINIPORT_MINOR_VERSION >= 30)
#define NDIS_SUPPORT_NDIS640 (NDIS_MINIPORT_MINOR_VERSION >= 40)
#define NDIS_SUPPORT_NDIS650 (NDIS_MINIPORT_MINOR_VERSION >= 50)
#define NDIS_SUPPORT_NDIS651 (NDIS_MINIPORT_MINOR_VERSION >= 51)
#define NDIS_SUPPORT_NDIS660 (NDIS_MINIPORT_MINOR_VERSION >= 60)
#define NDIS_SUPPORT_NDIS670 (NDIS_MINIPORT_MINOR_VERSION >= 70)
#define NDIS_SUPPORT_NDIS680 (NDIS_MINIPORT_MINOR_VERSION >= 80)

#define NDIS_RUNTIME_VERSION_60  ((6 << 16) | 0)
#define NDIS_RUNTIME_VERSION_61  ((6 << 16) | 1)
#define NDIS_RUNTIME_VERSION_620 ((6 << 16) | 20)
#define NDIS_RUNTIME_VERSION_630 ((6 << 16) | 30)
#define NDIS_RUNTIME_VERSION_640 ((6 << 16) | 40)
#define NDIS_RUNTIME_VERSION_650 ((6 << 16) | 50)
#define NDIS_RUNTIME_VERSION_651 ((6 << 16) | 51)
#define NDIS_RUNTIME_VERSION_660 ((6 << 16) | 60)
#define NDIS_RUNTIME_VERSION_670 ((6 << 16) | 70)
#define NDIS_RUNTIME_VERSION_680 ((6 << 16) | 80)

#endif
