// Scalable-precision MAC, MSB-first digit-serial: sixteen lanes, one brick each.
//
// A group of sixteen multiply-accumulates takes ceil(b/2) * ceil(a/2) steps: for every weight digit, most significant
// first, every activation digit, most significant first. The digits come from outside as the memory stores them (digit
// planes); a weight digit is loaded once and held while the activation digits pass. A group adds
//     sum over lanes of (2 * q_b + 1) * x
// to the accumulator (or to zero, where `start` came with it), five clocks after its last step; q_b is the upper b bits
// of the nested 8-bit weight q.
// Registers load only when something new is there (clock enables): a narrower weight or activation clocks them less often.
module serial_mac (
    input  logic        clock,
    input  logic        step,               // a digit pair is at the inputs
    input  logic        start,              // of a group that begins a new sum; read with its last weight digit
    input  logic        first_activation,   // most significant activation digit: `weight` is loaded with it
    input  logic        last_activation,
    input  logic        first_weight,       // most significant weight digit
    input  logic        last_weight,
    input  logic        odd_bits,           // b is odd: the last weight digit holds one bit (its high bit)
    input  logic        signed_activation,
    input  logic [31:0] weight,             // two bits of each lane's q
    input  logic [31:0] activation,         // two bits of each lane's x
    output logic signed [31:0] accumulator
);
  // Stage 0: the digits. q's sign bit is inverted: q + 128 has bits that count +-2^j around zero.
  logic [31:0] weight_digit, activation_digit;
  logic odd0, signed0, first0, last0, first_weight0, last_weight0, start0, step0;
  always_ff @(posedge clock) if (step && first_activation) weight_digit <= weight ^ {16{first_weight, 1'b0}};
  always_ff @(posedge clock) if (step && first_activation) begin
    odd0 <= last_weight && odd_bits;
    first_weight0 <= first_weight;
    last_weight0 <= last_weight;
    start0 <= start;
  end
  always_ff @(posedge clock) if (step) begin
    activation_digit <= activation;
    signed0 <= first_activation && signed_activation;
    first0 <= first_activation;
    last0 <= last_activation;
  end
  always_ff @(posedge clock) step0 <= step;

  // Stage 1: the sum of sixteen bricks.
  logic signed [8:0] dot, sum;
  logic first1, last1, first_weight1, last_weight1, start1, step1;
  dot16 dot16 (
      .weight(weight_digit),
      .odd(odd0),
      .activation(activation_digit),
      .activation_signed(signed0),
      .sum(dot)
  );
  always_ff @(posedge clock) if (step0) begin
    sum <= dot;
    first1 <= first0;
    last1 <= last0;
    first_weight1 <= first_weight0;
    last_weight1 <= last_weight0;
    start1 <= start0;
  end
  always_ff @(posedge clock) step1 <= step0;

  // Stage 2: Horner's rule over the activation digits. 16 lanes * 3 * 255 fit 15 bits.
  logic signed [14:0] row;
  logic first_weight2, last_weight2, start2, row_done;
  always_ff @(posedge clock) if (step1) begin
    row <= (first1 ? 15'sd0 : row <<< 2) + 15'(sum);
    first_weight2 <= first_weight1;
    last_weight2 <= last_weight1;
    start2 <= start1;
  end
  always_ff @(posedge clock) row_done <= step1 && last1;

  // Stage 3: Horner's rule over the weight digits. 16 lanes * 255 * 255 fit 21 bits.
  logic signed [20:0] group;
  logic start3, group_done;
  always_ff @(posedge clock) if (row_done) begin
    group <= (first_weight2 ? 21'sd0 : group <<< 2) + 21'(row);
    start3 <= start2;
  end
  always_ff @(posedge clock) group_done <= row_done && last_weight2;

  // Stage 4: the accumulator. With an odd number of bits the last digit counted twice its worth.
  logic signed [20:0] worth;
  assign worth = odd_bits ? group >>> 1 : group;
  always_ff @(posedge clock) if (group_done) accumulator <= (start3 ? 32'sd0 : accumulator) + 32'(worth);
endmodule
