// Which of four places (rows or columns of the sum-together array) an operand of 1 to 4 digits occupies, most significant
// digit first: one digit four times, two digits twice, three or four digits once.
module digit_places (
    input  logic [2:0] digits,
    output logic [3:0] used,               // with three digits place 3 rests
    output logic [3:0] most_significant,
    output logic [3:0] least_significant,
    output logic [7:0] shift               // digits below that of the place: two bits each, place 3 uppermost
);
  always_comb begin
    case (digits)
      3'd1: begin
        used = 4'b1111;
        most_significant = 4'b1111;
        least_significant = 4'b1111;
        shift = {2'd0, 2'd0, 2'd0, 2'd0};
      end
      3'd2: begin
        used = 4'b1111;
        most_significant = 4'b0101;
        least_significant = 4'b1010;
        shift = {2'd0, 2'd1, 2'd0, 2'd1};
      end
      3'd3: begin
        used = 4'b0111;
        most_significant = 4'b0001;
        least_significant = 4'b0100;
        shift = {2'd0, 2'd0, 2'd1, 2'd2};
      end
      default: begin
        used = 4'b1111;
        most_significant = 4'b0001;
        least_significant = 4'b1000;
        shift = {2'd0, 2'd1, 2'd2, 2'd3};
      end
    endcase
  end
endmodule
