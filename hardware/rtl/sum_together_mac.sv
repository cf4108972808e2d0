// Scalable-precision MAC, sum-together: a 4 x 4 array of processing elements of sixteen bricks each. After the published
// sum-together arrays (Bit Fusion, Sharma et al., ISCA 2018; BitBlade, Ryu et al., DAC 2019), of which it takes the idea
// of BitBlade: bricks of equal significance are summed before anything is shifted.
//
// With m = ceil(b/2) weight digits and n = ceil(a/2) activation digits, rows hold weight digits and columns activation
// digits; floor(4/m) * floor(4/n) groups of sixteen multiply-accumulates fit at once (16 groups at 2 x 2 bits, 1 at 8 x 8).
// Each `load` adds
//     sum over groups and lanes of (2 * q_b + 1) * x
// to the accumulator (or to zero, where `start` came with it), three clocks later.
// Element (row j, column k) of group (J, K) works on digits j - J*m and k - K*n, counted from the most significant.
// Weights arrive at (j, first column of the group), activations at (first row of the group, k); rows or columns that three
// digits leave over rest: their registers are not clocked, their bricks see zeros.
module sum_together_mac (
    input  logic         clock,
    input  logic         load,
    input  logic         start,               // of a load that begins a new sum
    input  logic [2:0]   weight_digits,       // m, 1..4
    input  logic         odd_bits,            // b is odd: the last weight digit holds one bit (its high bit)
    input  logic [2:0]   activation_digits,   // n, 1..4
    input  logic         signed_activation,
    input  logic [511:0] weight,              // element (j, k), lane l: bits 2 * (64 * j + 16 * k + l) and the next
    input  logic [511:0] activation,          // element (j, k), lane l: bits 2 * (64 * k + 16 * j + l) and the next
    output logic signed [31:0] accumulator
);
  // What is constant for an operating point: which rows and columns work, where an operand begins and ends, shifts.
  logic [3:0] rows, columns, weight_top, weight_last, activation_top;
  logic [7:0] weight_shift, activation_shift;
  digit_places weight_places (
      .digits(weight_digits),
      .used(rows),
      .most_significant(weight_top),
      .least_significant(weight_last),
      .shift(weight_shift)
  );
  digit_places activation_places (
      .digits(activation_digits),
      .used(columns),
      .most_significant(activation_top),
      .least_significant(),
      .shift(activation_shift)
  );

  // Stage 0: digits, shared along a row (weights) or a column (activations). q's sign bit is inverted: q + 128 has bits
  // that count +-2^j around zero.
  logic [511:0] weight_shared, activation_shared;
  for (genvar place = 0; place < 4; place++) begin : digits
    share_digits weights (
        .clock(clock),
        .load(load),
        .used(rows[place]),
        .count(activation_digits),
        .digits(weight[128*place+:128] ^ {64{weight_top[place], 1'b0}}),
        .shared(weight_shared[128*place+:128])
    );
    share_digits activations (
        .clock(clock),
        .load(load),
        .used(columns[place]),
        .count(weight_digits),
        .digits(activation[128*place+:128]),
        .shared(activation_shared[128*place+:128])
    );
  end
  logic load0, load1, load2;
  logic start0, start1, start2;
  always_ff @(posedge clock) begin
    load0 <= load;
    load1 <= load0;
    load2 <= load1;
  end
  always_ff @(posedge clock) if (load) start0 <= start;
  always_ff @(posedge clock) if (load0) start1 <= start0;
  always_ff @(posedge clock) if (load1) start2 <= start1;

  // Stage 1: a sum of sixteen bricks per element. Stage 2: elements of a row, shifted by their activation digit.
  logic [71:0] row_sums;
  for (genvar j = 0; j < 4; j++) begin : row
    logic [35:0] sums;
    for (genvar k = 0; k < 4; k++) begin : element
      logic signed [8:0] dot, sum;
      dot16 dot16 (
          .weight(weight_shared[128*j+32*k+:32]),
          .odd(odd_bits && weight_last[j]),
          .activation(activation_shared[128*k+32*j+:32]),
          .activation_signed(signed_activation && activation_top[k]),
          .sum(dot)
      );
      always_ff @(posedge clock) if (load0 && rows[j] && columns[k]) sum <= dot;
      assign sums[9*k+:9] = sum;
    end
    logic signed [17:0] row_sum, held;
    weighted_sum #(.IN(9), .OUT(18)) shifted (
        .terms(sums),
        .shift(activation_shift),
        .used(columns),
        .sum(row_sum)
    );
    always_ff @(posedge clock) if (load1 && rows[j]) held <= row_sum;
    assign row_sums[18*j+:18] = held;
  end

  // Stage 3: the rows, shifted by their weight digit, and the accumulator. 16 lanes * 255 * 255 fit 21 bits. With an odd
  // number of bits the last digit counted twice its worth.
  logic signed [20:0] total;
  weighted_sum #(.IN(18), .OUT(21)) rows_shifted (
      .terms(row_sums),
      .shift(weight_shift),
      .used(rows),
      .sum(total)
  );
  logic signed [20:0] worth;
  assign worth = odd_bits ? total >>> 1 : total;
  always_ff @(posedge clock) if (load2) accumulator <= (start2 ? 32'sd0 : accumulator) + 32'(worth);
endmodule
