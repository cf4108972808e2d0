#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/file.h"

namespace trimtab::test {

/// A small result of `fit` with everything that a report shows: three layers, the second of which reads past the first.
inline nlohmann::ordered_json fit_result() {
  return nlohmann::ordered_json::parse(R"({
    "command": "fit", "command_line": "trimtab fit net.onnx -o out", "model": "models/net.onnx", "data": "cifar10:test",
    "task": {"name": "classification", "reason": "a class per sample", "measure": "top1", "unit": "%",
             "larger_is_better": true},
    "top1": 71.25, "top1_float": 72.5, "samples": 4321, "weights_bytes": 2048, "target": "stm32f412",
    "flash_bytes": 30720, "ram_bytes": 10240, "stack_bytes": 512, "arena_bytes": 9216, "text_bytes": 12288,
    "rodata_bytes": 18432, "instructions": 1234567, "latency_lower_ms": 12.5, "latency_expected_ms": 13.5,
    "latency_upper_ms": 14.5, "device": {"machine": "mps2-an386", "samples": 32, "mismatches": 0},
    "energy": {"clock_hz": 26000000, "core_v": 1.0, "latency_lower_ms": 60, "latency_expected_ms": 65,
      "latency_upper_ms": 70, "inference_uj": 360.5, "inference_least_uj": 270, "inference_most_uj": 540,
      "period_uj": 371, "period_least_uj": 280, "period_most_uj": 550, "supply_v": 3.3, "nj_per_cycle": 0.216,
      "nj_per_cycle_source": "a data sheet", "clocks": [
        {"clock_hz": 26000000, "core_v": 1.0, "latency_lower_ms": 60, "latency_expected_ms": 65, "latency_upper_ms": 70,
         "inference_uj": 360.5, "inference_least_uj": 270, "inference_most_uj": 540, "period_uj": 371,
         "period_least_uj": 280, "period_most_uj": 550, "in_time": true},
        {"clock_hz": 100000000, "core_v": 1.32, "latency_lower_ms": 12.5, "latency_expected_ms": 13.5,
         "latency_upper_ms": 14.5, "inference_uj": 500, "inference_least_uj": 400, "inference_most_uj": 600,
         "period_uj": 511, "period_least_uj": 411, "period_most_uj": 611, "in_time": true}]},
    "bounds": {"flash_bytes": 65536, "ram_bytes": 16384, "latency_ms": 20, "deadline_ms": 100, "period_ms": 1000,
               "energy_uj": 600},
    "search": {"trials": 5, "epochs": 7, "finalists": [{"validation_top1": 70.5, "weights_kept": 0.5, "made_by": "kl"}]},
    "frontier": [
      {"ram_bytes": 8704, "arena_bytes": 7680, "flash_bytes": 29696, "instructions": 1654321, "strip_rows": 2,
       "latency_expected_ms": 17.25},
      {"ram_bytes": 10240, "arena_bytes": 9216, "flash_bytes": 30720, "instructions": 1234567, "strip_rows": 0,
       "latency_expected_ms": 13.5}],
    "warnings": ["one class is absent"], "seed": 1, "wall_s": 12, "version": "0.0"})");
}

inline nlohmann::ordered_json fit_details() {
  return nlohmann::ordered_json::parse(R"({
    "input": {"output_shape": [8, 8, 3], "activation_bits": 8},
    "target": {"name": "stm32f412", "description": "a board", "clock_hz": 100000000},
    "layers": [
      {"layer": "first", "kind": "convolution", "inputs": [-1], "output_shape": [8, 8, 16], "weight_bits": 8,
       "activation_bits": 8, "macs": 27648, "constant_bytes": 560, "kernel": "convolution_u8", "reason": "it is fast",
       "instructions": 30000, "estimated_cycles": 40000},
      {"layer": "second", "kind": "convolution", "inputs": [0], "output_shape": [8, 8, 16], "weight_bits": 2,
       "activation_bits": 8, "macs": 147456, "constant_bytes": 700, "kernel": "convolution_u8", "reason": "it is fast",
       "instructions": 90000, "estimated_cycles": 110000},
      {"layer": "sum", "kind": "addition", "inputs": [0, 1], "output_shape": [8, 8, 16], "weight_bits": 0,
       "activation_bits": 8, "macs": 0, "constant_bytes": 0, "kernel": "addition_8", "reason": "",
       "instructions": 900, "estimated_cycles": 1000}],
    "memory": {"arena_bytes": 3000, "arena_lower_bound_bytes": 2900, "operations": [0, 1, 2], "values": [
      {"name": "input", "layer": -1, "scratch": false, "uses": [[0, 192, -1, 0]]},
      {"name": "first", "layer": 0, "scratch": false, "uses": [[192, 1024, 0, 2]]},
      {"name": "second", "layer": 1, "scratch": false, "uses": [[1216, 1024, 1, 2]]},
      {"name": "sum", "layer": 2, "scratch": false, "uses": [[192, 1024, 2, 3]]},
      {"name": "scratch memory", "layer": -1, "scratch": true, "uses": [[2240, 700, 1, 1]]}]},
    "accuracy": {"samples": 16, "reference": "the float network", "layers": [
      {"layer": "first", "weight_bits": 8, "activation_bits": 8, "sqnr_db": 41.5, "cosine": 0.9999,
       "largest_error": 0.02, "saturated_percent": 0, "unused_percent": 2, "alone_sqnr_db": 39.5,
       "weights_alone_sqnr_db": 42, "activations_alone_sqnr_db": 43,
       "grid": {"step": 0.02, "low": 0, "high": 5.1, "signed": false, "zero_point": 0},
       "histogram": {"low": 0, "high": 5.3, "counts": [100, 10, 1]}},
      {"layer": "second", "weight_bits": 2, "activation_bits": 8, "sqnr_db": 8.5, "cosine": 0.93,
       "largest_error": 2.5, "saturated_percent": 0.5, "unused_percent": 2, "alone_sqnr_db": 7.25,
       "weights_alone_sqnr_db": 7.5, "activations_alone_sqnr_db": 38,
       "grid": {"step": 0.5, "low": 0, "high": 7.5, "signed": false, "zero_point": 0},
       "histogram": {"low": 0, "high": 9, "counts": [100, 10, 1]}},
      {"layer": "sum", "activation_bits": 8, "sqnr_db": 9.5, "cosine": 0.94, "largest_error": 2.6,
       "saturated_percent": 0, "unused_percent": 0, "alone_sqnr_db": 44, "activations_alone_sqnr_db": 44,
       "grid": {"step": 0.02, "low": 0, "high": 5.1, "signed": false, "zero_point": 0},
       "histogram": {"low": 0, "high": 5, "counts": [5, 5]}}]},
    "answers": {"classes": ["cat", "dog"], "confusion": [[17, 3], [4, 19]], "worst": [
      {"sample": 11, "label": 0, "answer": 1, "answer_float": 0, "probability": 0.125, "picture_png": "aGVsbG8="},
      {"sample": 12, "label": 1, "answer": 0, "answer_float": 0, "probability": 0.25}]},
    "search": {"trials": [
      {"stage": "short", "made_by": "kl", "weights_kept": 1, "weights_bytes": 4096, "epochs": 1, "top1": 60.5},
      {"stage": "long", "made_by": "kl", "weights_kept": 0.5, "weights_bytes": 2048, "epochs": 6, "top1": 70.5}],
      "front_weights_bytes": [2048, 4096], "front_top1": [60.5, 70.5]}})");
}

/// What `trimtab validate` found on a board that computes the host's numbers and counts cycles.
inline nlohmann::ordered_json validation() {
  return nlohmann::ordered_json::parse(R"({
    "out": "out", "port": "/dev/ttyACM7", "baud": 115200, "data": "cifar10:test", "point": 0,
    "task": {"name": "classification", "reason": "a class per sample", "measure": "top1", "unit": "%",
             "larger_is_better": true},
    "samples": 321, "top1": 69.47, "differing_samples": 0, "differing_numbers": 0,
    "cycles": 1540123, "cycles_least": 1539001, "cycles_most": 1541999,
    "estimated_cycles": 1510456, "estimated_cycles_least": 1400007, "estimated_cycles_most": 1600008,
    "estimated_cycles_without_waits": 1300009,
    "layers": [
      {"layer": "first", "cycles": 41234, "estimated_cycles": 40000, "estimated_cycles_least": 39000,
       "estimated_cycles_most": 43000, "estimated_cycles_without_waits": 38000},
      {"layer": "second", "cycles": 99000, "estimated_cycles": 110000, "estimated_cycles_least": 100000,
       "estimated_cycles_most": 120000, "estimated_cycles_without_waits": 90000},
      {"layer": "sum", "cycles": 1001}],
    "target": "stm32f412", "repeated_requests": 3, "model_hash": "0123", "warnings": ["the board is warm"],
    "version": "0.0"})");
}

inline void write_finished(const std::filesystem::path& folder, const nlohmann::ordered_json& result,
                           const nlohmann::ordered_json& details) {
  write_file(folder / "result.json", result.dump());
  if (!details.is_null()) write_file(folder / "details.json", details.dump());
}

}  // namespace trimtab::test
