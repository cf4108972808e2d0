#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace trimtab {

// The sources behind load_dataset, one file each. They give at least one sample, labels in range and finite numbers, or
// throw Error (bad input) with the file's name.

/// Records of one label byte and 3x1024 bytes (red, green, blue planes): one .bin file, or a folder with
/// data_batch*.bin (train) and test_batch*.bin (test).
[[nodiscard]] Dataset load_cifar10(const std::filesystem::path& path, Split split);

/// "X.npy", "X.npy,Y.npy" or "X.npy,Y.npy,GROUPS.npy": samples N x F, N x H x W or N x C x H x W (uint8: pixels;
/// others: features), their right answers and the recordings that they are parts of; see docs/data.md. Where a network
/// has several inputs, `parts` are they, and the first files are theirs, in their order.
[[nodiscard]] Dataset load_npy_files(const std::string& paths, const std::vector<JoinedPart>& parts = {});

/// The same arrays from one .npz file, where they are found by their names.
[[nodiscard]] Dataset load_npz_file(const std::filesystem::path& path, Split split,
                                    const std::vector<JoinedPart>& parts = {});

/// JPEG and PNG pictures in one folder per class, or listed in labels.txt as "file index". Decodes only the pictures
/// that `limit` leaves.
[[nodiscard]] Dataset load_images(const std::filesystem::path& folder, Split split, const DataOptions& options);

/// `count` pictures of ten shapes; see docs/data.md. The same on every machine.
[[nodiscard]] Dataset generate_shapes(std::int64_t count, Split split, std::uint64_t seed);

/// Gives the samples the shape of the network's input: it may differ by dimensions of 1, or have its channels last.
/// Throws Error (bad input), naming `source`, where it differs otherwise.
void fit_shape(Dataset& data, const Shape& wanted, const std::string& source);

/// Indices of min(limit, total) items spread evenly over [0, total); all where limit is 0.
[[nodiscard]] std::vector<std::int64_t> spread(std::int64_t total, std::int64_t limit);

/// Class names, one per line; empty where there is no such file.
[[nodiscard]] std::vector<std::string> read_class_names(const std::filesystem::path& path);

/// Makes as many names as the labels and `names` need, at most 100,000. `names` come first, then numbers. `where` is
/// for the message when a label is negative or too large.
void name_classes(Dataset& data, std::vector<std::string> names, const std::string& where);

}  // namespace trimtab
