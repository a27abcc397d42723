# SPDX-License-Identifier: MIT
pure-y += stats/statsfs.o stats/statsfs_read.o stats/statsfs_path.o
pure-y += stats/stat.o stats/stat_fmt.o
