// The sum of sixteen bricks of equal significance: one digit of the weights of sixteen lanes times one digit of their
// activations.
module dot16 (
    input  logic [31:0] weight,             // two bits of each lane
    input  logic        odd,
    input  logic [31:0] activation,
    input  logic        activation_signed,
    output logic signed [8:0] sum           // -144..144
);
  logic [47:0] low, high;
  for (genvar lane = 0; lane < 16; lane++) begin : lanes
    brick brick (
        .weight(weight[2*lane+:2]),
        .odd(odd),
        .activation(activation[2*lane+:2]),
        .activation_signed(activation_signed),
        .low(low[3*lane+:3]),
        .high(high[3*lane+:3])
    );
  end

  // What inverting left: 4 + 8 of every lane, with signed activations 4 + 4 + 2. One chain of additions becomes one
  // carry-save tree in synthesis.
  logic [8:0] total;
  always_comb begin
    total = activation_signed ? -9'd160 : -9'd192;
    for (int lane = 0; lane < 16; lane++) begin
      total = total + {6'd0, low[3*lane+:3]} + {5'd0, high[3*lane+:3], 1'b0};
    end
  end
  assign sum = total;
endmodule
