// A canvas to draw on with a mouse, a pen or a finger. After each stroke its content goes to the server, as a PNG.
const canvas = element.querySelector("canvas");
const paper = canvas.getContext("2d");

function clear() {
  paper.fillStyle = "white";
  paper.fillRect(0, 0, canvas.width, canvas.height);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
}

function send(value) {
  props.value = value;
  trigger("input");
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  Object.assign(paper, { lineWidth: canvas.width / 14, lineCap: "round", lineJoin: "round", strokeStyle: "black" });
  paper.beginPath();
  paper.moveTo(...place(event));
  paper.lineTo(...place(event)); // a dot, if the pointer does not move
  paper.stroke();
});
canvas.addEventListener("pointermove", (event) => {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  paper.lineTo(...place(event));
  paper.stroke();
});
canvas.addEventListener("lostpointercapture", () => send(canvas.toDataURL("image/png")));
element.querySelector("button").addEventListener("click", () => {
  clear();
  send("");
});
clear();
