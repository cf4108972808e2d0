// The sum of sixteen bricks of equal significance: one digit of the weights of sixteen lanes times one digit of their
// activations.
module dot16 (
    input  logic [31:0] weight,             // two bits of each lane
    input  logic        odd,
    input  logic [31:0] activation,
    input  logic        activation_signed,
    output logic signed [8:0] sum           // -144..144
);
  logic [79:0] product;
  for (genvar lane = 0; lane < 16; lane++) begin : lanes
    brick brick (
        .weight(weight[2*lane+:2]),
        .odd(odd),
        .activation(activation[2*lane+:2]),
        .activation_signed(activation_signed),
        .product(product[5*lane+:5])
    );
  end

  // Products as p + 16, by inverting their sign bits, need no sign extension in the tree; the sixteen 16s make 256,
  // which is again only the inversion of one bit. One chain of additions becomes one carry-save tree in synthesis.
  logic [8:0] biased;
  always_comb begin
    biased = 9'd0;
    for (int lane = 0; lane < 16; lane++) begin
      biased = biased + {4'd0, ~product[5*lane+4], product[5*lane+:4]};
    end
  end
  assign sum = {~biased[8], biased[7:0]};
endmodule
